//! TLS handshakes: every fact of the certificate chain, and the verdict on it.
//!
//! rustls holds the handshake and accepts every chain ([`record`]), so that the facts are complete ([`chain`]); only then
//! is it judged ([`verdict`]). Where the stores doubt it, [`platform`] can be asked over a second connection; that is left
//! to whoever can open one ([`super::channel`]).

mod anchor;
mod chain;
mod client_certificate;
mod failure;
mod hear;
mod hello;
mod platform;
mod record;
mod verdict;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, ProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::chain::Link;
use self::hear::Heard;
use self::record::Recorder;
use self::verdict::{Chain, Faults, Verdict};
use super::trace::{OpenStep, Trace};
use super::{Stopped, Stream};
use crate::model::ask::TlsExpectation;
use crate::model::certificate::{Fault, Presented, Wrong};
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;

pub(in crate::net) use failure::{alert_name, inside, of_tls};
pub(in crate::net) use hello::greet;
pub use platform::{PlatformOpinion, platform_opinion};

/// Performs a TLS handshake over `stream` with the server called `name`; one step.
///
/// # Errors
/// [`Stopped`] where the handshake fails or the certificate is not what `expectation` wants; the step holds the reason.
pub async fn handshake(
    stream: Stream,
    name: &str,
    expectation: &TlsExpectation,
    alpn: &[&[u8]],
    trace: &Trace,
) -> Result<Stream, Stopped> {
    match shake(stream, name, expectation, alpn, trace).await {
        Shaken::Agreed(stream) => Ok(stream),
        Shaken::Doubted(doubt) => Err(doubt.refuse()),
        Shaken::Failed(_) => Err(Stopped),
    }
}

/// How a handshake ended.
pub(super) enum Shaken {
    /// Agreed, and the certificate is accepted.
    Agreed(Stream),
    /// Agreed, but the trust stores doubt the certificate: the step is still open, and a second opinion may settle it.
    Doubted(Box<Doubt>),
    /// The step has failed.
    Failed(Failure),
}

/// An agreed handshake whose certificate is doubted.
pub(super) struct Doubt {
    session: Session,
    failure: Failure,
    note: String,
    fingerprint: String,
}

impl Doubt {
    /// The certificate is refused.
    pub fn refuse(self) -> Stopped {
        self.session.step.fail_with(self.failure, self.note)
    }

    /// Settles the doubt: the platform's own library decides, where it saw the same certificate.
    ///
    /// # Errors
    /// [`Stopped`] where it did not accept it.
    pub async fn settle(self, opinion: &PlatformOpinion) -> Result<Stream, Stopped> {
        match opinion {
            PlatformOpinion::Trusted { fingerprint } if *fingerprint == self.fingerprint => {
                self.session.accept("platform-library").await
            }
            _ => Err(self.refuse()),
        }
    }
}

/// [`handshake`], with the outcome told apart.
pub(super) async fn shake(
    stream: Stream,
    name: &str,
    expectation: &TlsExpectation,
    alpn: &[&[u8]],
    trace: &Trace,
) -> Shaken {
    let step = trace.begin(StepKind::Tls, None);
    let recorder = Arc::new(Recorder::new(Arc::clone(verdict::provider())));
    let prepared = server_name(name).and_then(|name| Ok((name, config(&recorder, alpn)?)));
    let (server, config) = match prepared {
        Ok(pair) => pair,
        Err(error) => {
            trace.fact(Fact::Detail, chain::printable(&error.to_string()));
            step.fail(Failure::Internal);
            return Shaken::Failed(Failure::Internal);
        }
    };
    let attempt = TlsConnector::from(Arc::new(config)).connect(server.clone(), Heard::new(stream));
    match attempt.into_fallible().await {
        Ok(tls) => judge(Session { tls, recorder, step, trace: trace.clone() }, server, expectation).await,
        Err((error, heard)) => Shaken::Failed(fail(&error, &heard, &recorder, step, trace)),
    }
}

/// A name or an address, as a certificate writes it: without brackets and without the root's dot.
pub(super) fn plain_name(name: &str) -> &str {
    let name = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.strip_suffix('.').unwrap_or(name)
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    let name = plain_name(name);
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(ServerName::from(address));
    }
    ServerName::try_from(name.to_owned()).map_err(|_| Error::UnsupportedNameType)
}

fn config(recorder: &Arc<Recorder>, alpn: &[&[u8]]) -> Result<ClientConfig, Error> {
    let verifier: Arc<dyn ServerCertVerifier> = Arc::<Recorder>::clone(recorder);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(verdict::provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::<Recorder>::clone(recorder));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // A resumed session would not show its certificates.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// A completed handshake, with the step that is still open.
struct Session {
    tls: TlsStream<Heard<Stream>>,
    recorder: Arc<Recorder>,
    step: OpenStep,
    trace: Trace,
}

impl Session {
    /// Ends the step well, unless the server wants a certificate of this side.
    async fn accept(mut self, trusted_by: &str) -> Result<Stream, Stopped> {
        self.trace.fact(Fact::TlsTrust, trusted_by);
        if self.recorder.certificate_requested()
            && let Err(error) = client_certificate::outcome(&mut self.tls).await
        {
            let (heard, _) = self.tls.into_inner();
            fail(&error, &heard, &self.recorder, self.step, &self.trace);
            return Err(Stopped);
        }
        self.step.pass_with(agreed(self.tls.get_ref().1));
        Ok(Box::new(self.tls))
    }
}

async fn judge(session: Session, server: ServerName<'static>, expectation: &TlsExpectation) -> Shaken {
    let trace = &session.trace;
    tell_agreement(session.tls.get_ref().1, trace);
    trace.fact(Fact::TlsClientCertificate, session.recorder.certificate_requested());
    let Some(chain) = session.recorder.chain() else {
        session.step.fail(Failure::Internal);
        return Shaken::Failed(Failure::Internal);
    };
    let links = tell_chain(&chain, trace);
    let fingerprint = links.first().map(|leaf| leaf.facts.sha256.clone()).unwrap_or_default();
    let expectation = expectation.clone();
    let judged = tokio::task::spawn_blocking(move || verdict::judge(&chain, &links, &server, &expectation)).await;
    match judged {
        Ok(Verdict::Trusted(by)) => agree(session, by).await,
        Ok(Verdict::NotJudged(faults)) => {
            tell_judged(&faults, trace);
            agree(session, "nobody").await
        }
        Ok(Verdict::Unexpected(fault)) => {
            tell_faults(&[fault], trace);
            session.step.fail_with(Failure::TlsIntercepted, agreed(session.tls.get_ref().1));
            Shaken::Failed(Failure::TlsIntercepted)
        }
        Ok(Verdict::Doubted(failure, faults)) => {
            tell_judged(&faults, trace);
            session.step.if_cut(failure);
            let note = agreed(session.tls.get_ref().1);
            Shaken::Doubted(Box::new(Doubt { session, failure, note, fingerprint }))
        }
        Err(_) => {
            session.step.fail(Failure::Internal);
            Shaken::Failed(Failure::Internal)
        }
    }
}

async fn agree(session: Session, trusted_by: &str) -> Shaken {
    match session.accept(trusted_by).await {
        Ok(stream) => Shaken::Agreed(stream),
        Err(Stopped) => Shaken::Failed(Failure::TlsClientCertificate),
    }
}

/// Ends the step with what an error of the handshake stands for, and tells what was seen until then.
fn fail(error: &io::Error, heard: &Heard<Stream>, recorder: &Recorder, step: OpenStep, trace: &Trace) -> Failure {
    let links = recorder.chain().map(|chain| tell_chain(&chain, trace)).unwrap_or_default();
    let requested = recorder.certificate_requested();
    trace.fact(Fact::TlsClientCertificate, requested);
    let Some(tls) = inside(error) else {
        let (failure, _) = super::failure::of_io(error);
        if requested && matches!(failure, Failure::Reset | Failure::Closed) {
            step.fail(Failure::TlsClientCertificate);
            return Failure::TlsClientCertificate;
        }
        step.fail_io(error);
        return failure;
    };
    if let Error::AlertReceived(alert) = tls {
        trace.fact(Fact::TlsAlert, alert_name(*alert));
    }
    let failure = of_tls(tls, heard.is_tls(), requested);
    match failure {
        Failure::NotTls => {
            if let Some(banner) = heard.banner() {
                trace.fact(Fact::Banner, banner);
            }
        }
        Failure::TlsIntercepted => tell_faults(&[Fault { certificate: 0, what: Wrong::Downgraded }], trace),
        Failure::TlsUntrusted => {
            let what = match tls {
                Error::InvalidCertificate(error) => verdict::wrong_of(error),
                _ => Wrong::Malformed,
            };
            let short = verdict::short_key(what, &links);
            tell_faults(&[short.unwrap_or(Fault { certificate: 0, what })], trace);
        }
        _ => {}
    }
    step.fail_with(failure, chain::printable(&tls.to_string()));
    failure
}

fn tell_agreement(connection: &ClientConnection, trace: &Trace) {
    if let Some(version) = connection.protocol_version() {
        trace.fact(Fact::TlsVersion, version_name(version));
    }
    if let Some(suite) = connection.negotiated_cipher_suite() {
        trace.fact(Fact::TlsCipher, suite.suite().as_str().unwrap_or_default());
    }
    if let Some(protocol) = connection.alpn_protocol() {
        trace.fact(Fact::Alpn, chain::printable(&String::from_utf8_lossy(protocol)));
    }
}

fn tell_chain(chain: &Chain, trace: &Trace) -> Vec<Link> {
    let links = chain::read(&chain.leaf, &chain.others);
    let facts: Vec<&Presented> = links.iter().map(|link| &link.facts).collect();
    trace.fact(Fact::TlsChain, serde_json::to_value(facts).unwrap_or_default());
    if let Some(leaf) = links.first() {
        trace.fact(Fact::TlsFingerprint, leaf.facts.sha256.as_str());
        if let Some((_, until)) = leaf.validity {
            let left = until.saturating_sub(jiff::Timestamp::now().as_second());
            trace.fact(Fact::TlsDaysLeft, left.div_euclid(86_400));
        }
    }
    links
}

fn tell_judged(faults: &Faults, trace: &Trace) {
    tell_faults(&faults.all, trace);
    if let Some(authority) = &faults.authority {
        trace.fact(Fact::TlsAuthority, serde_json::to_value(authority).unwrap_or_default());
    }
}

fn tell_faults(faults: &[Fault], trace: &Trace) {
    if !faults.is_empty() {
        trace.fact(Fact::TlsFault, serde_json::to_value(faults).unwrap_or_default());
    }
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "another version",
    }
}

/// One line for the step: version and cipher.
fn agreed(connection: &ClientConnection) -> String {
    let version = connection.protocol_version().map_or("no version", version_name);
    let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("no cipher");
    format!("{version}, {cipher}")
}
