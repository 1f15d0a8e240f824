//! Whether presented certificates are trusted, by whom, and what is wrong where they are not.
//!
//! The platform's own trust decides (`rustls-platform-verifier`: the system's engine on Windows, the store that OpenSSL
//! uses too on Linux), then the profile's own authorities. A fingerprint or issuer that the profile names goes before both.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use rustls_platform_verifier::Verifier;

use super::anchor::Authorities;
use super::chain::{self, Link};
use crate::model::ask::{TlsExpectation, Trust};
use crate::model::certificate::{Fault, Presented, Wrong};
use crate::model::evidence::Failure;

/// What the server presented in the handshake.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub leaf: CertificateDer<'static>,
    pub others: Vec<CertificateDer<'static>>,
    pub ocsp: Vec<u8>,
}

/// The verdict on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Trusted; the word says by whom.
    Trusted(&'static str),
    /// Nobody judges; what would be wrong is still told.
    NotJudged(Faults),
    /// Not what the profile expects: no trust store can change that.
    Unexpected(Fault),
    /// The stores do not trust it; the decisive fault comes first.
    Doubted(Failure, Faults),
}

/// What is wrong with a chain, the decisive fault first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub all: Vec<Fault>,
    /// The trusted authority that the first is about, where the server did not present it.
    pub authority: Option<Presented>,
}

/// Why a store does not trust a chain.
#[derive(Debug, Clone)]
struct Refusal {
    what: Wrong,
    /// The authority that is out of its dates, where nothing else is wrong.
    authority: Option<Box<Link>>,
}

impl From<Wrong> for Refusal {
    fn from(what: Wrong) -> Self {
        Self { what, authority: None }
    }
}

/// The cryptography that everything here uses: passed explicitly, since another crate may choose the process's default.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// Judges a chain. Blocks: the first call of a process reads the platform's store, and Windows may look up revocations.
pub(super) fn judge(chain: &Chain, links: &[Link], name: &ServerName<'_>, expectation: &TlsExpectation) -> Verdict {
    if let Some(wanted) = &expectation.fingerprint {
        let own = links.first().map_or("", |link| &link.facts.sha256);
        return if same_fingerprint(wanted, own) {
            Verdict::Trusted("fingerprint")
        } else {
            Verdict::Unexpected(Fault { certificate: 0, what: Wrong::WrongFingerprint })
        };
    }
    if let Some(wanted) = &expectation.issuer {
        let issuer = links.first().map(|link| link.facts.issuer.to_lowercase()).unwrap_or_default();
        if !issuer.contains(&wanted.to_lowercase()) {
            return Verdict::Unexpected(Fault { certificate: 0, what: Wrong::WrongIssuer });
        }
    }
    let verdict = by_stores(chain, links, name, expectation.ca.as_deref());
    match (expectation.trust, verdict) {
        (Trust::Anyone, Verdict::Trusted(_)) => Verdict::NotJudged(Faults::default()),
        (Trust::Anyone, Verdict::Doubted(_, faults)) => Verdict::NotJudged(faults),
        (_, verdict) => verdict,
    }
}

fn by_stores(chain: &Chain, links: &[Link], name: &ServerName<'_>, ca: Option<&Path>) -> Verdict {
    let now = UnixTime::now();
    let refusal = match stores(chain, links, name, ca, now) {
        Ok(by) => return Verdict::Trusted(by),
        Err(refusal) => refusal,
    };
    if let Some(authority) = refusal.authority {
        return Verdict::Doubted(failure_of(refusal.what), of_authority(refusal.what, *authority, links));
    }
    let wrong = refusal.what;
    let mut all = faults(wrong, chain, links, name, now);
    // Verifiers stop at the dates. What they would say while the certificate was valid is wrong now as well.
    if is_dated(wrong)
        && let Some(time) = links.first().and_then(Link::valid_time)
        && let Err(Refusal { what: other, .. }) = stores(chain, links, name, ca, time)
        && !is_dated(other)
        && other != Wrong::NameMismatch
    {
        all.push(place(other, links, &chain::walk(links)));
    }
    let failure = failure_of(all.first().map_or(wrong, |fault| fault.what));
    Verdict::Doubted(failure, Faults { all, authority: None })
}

/// The fault of an authority that is out of its dates: behind all that was presented, unless it was presented too.
fn of_authority(what: Wrong, authority: Link, links: &[Link]) -> Faults {
    let presented = links.iter().position(|link| link.facts.sha256 == authority.facts.sha256);
    let fault = Fault { certificate: presented.unwrap_or(links.len()), what };
    Faults { all: vec![fault], authority: presented.is_none().then_some(authority.facts) }
}

/// Who trusts the chain at a time, or what is wrong with it.
fn stores(
    chain: &Chain,
    links: &[Link],
    name: &ServerName<'_>,
    ca: Option<&Path>,
    time: UnixTime,
) -> Result<&'static str, Refusal> {
    let Err(refusal) = by_platform(chain, links, name, time) else { return Ok("platform") };
    let Some(file) = ca else { return Err(refusal) };
    match by_authorities(file, chain, links, name, time) {
        Ok(()) => Ok("ca"),
        // What one store says of a chain that the other does not even know is the better word.
        Err(said) if matches!(refusal.what, Wrong::UnknownIssuer | Wrong::NoTrustStore) => Err(said),
        Err(_) => Err(refusal),
    }
}

/// What the platform's store says.
fn by_platform(chain: &Chain, links: &[Link], name: &ServerName<'_>, time: UnixTime) -> Result<(), Refusal> {
    ask(platform().ok_or(Wrong::NoTrustStore)?, chain, name, time)?;
    in_time(Authorities::of_platform(), chain, links, name, time)
}

/// A chain that these authorities trust must end in one that is valid itself.
fn in_time(
    authorities: &Authorities,
    chain: &Chain,
    links: &[Link],
    name: &ServerName<'_>,
    time: UnixTime,
) -> Result<(), Refusal> {
    match authorities.dated(chain, links, name, time) {
        Some((what, authority)) => Err(Refusal { what, authority: Some(Box::new(authority)) }),
        None => Ok(()),
    }
}

fn is_dated(what: Wrong) -> bool {
    matches!(what, Wrong::Expired | Wrong::NotYetValid)
}

fn failure_of(what: Wrong) -> Failure {
    match what {
        Wrong::Expired => Failure::TlsExpired,
        Wrong::NotYetValid => Failure::TlsNotYetValid,
        Wrong::NameMismatch => Failure::TlsNameMismatch,
        _ => Failure::TlsUntrusted,
    }
}

/// The platform's verifier, made once; absent where the store holds no authorities.
fn platform() -> Option<&'static Verifier> {
    static PLATFORM: OnceLock<Option<Verifier>> = OnceLock::new();
    PLATFORM.get_or_init(|| Verifier::new(Arc::clone(provider())).ok()).as_ref()
}

/// What the profile's own authorities say.
fn by_authorities(
    file: &Path,
    chain: &Chain,
    links: &[Link],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Refusal> {
    let authorities = Authorities::of(authorities(file).ok_or(Wrong::AuthoritiesUnreadable)?);
    if authorities.contains(&chain.leaf) {
        // The server's own certificate is among them: trusted as it is, even where it may also sign others, as
        // certificates made by hand often do, which path building would refuse.
        return Ok(by_itself(&chain.leaf, name, now)?);
    }
    authorities.trust(chain, name, now)?;
    in_time(&authorities, chain, links, name, now)
}

/// The certificates in a PEM file; nothing where it can't be read or holds none.
pub(super) fn authorities(file: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).ok()?.collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

fn by_itself(leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Wrong> {
    if let Some(wrong) = Link::read(leaf).wrong_dates(seconds(now)) {
        return Err(wrong);
    }
    match is_for(leaf, name) {
        Some(true) => Ok(()),
        Some(false) => Err(Wrong::NameMismatch),
        None => Err(Wrong::Malformed),
    }
}

pub(super) fn ask(
    verifier: &dyn ServerCertVerifier,
    chain: &Chain,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Wrong> {
    match verifier.verify_server_cert(&chain.leaf, &chain.others, name, &chain.ocsp, now) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(wrong_of(&error)),
        Err(_) => Err(Wrong::Refused),
    }
}

/// The word for a verifier's typed error.
pub(super) fn wrong_of(error: &CertificateError) -> Wrong {
    use CertificateError as E;
    #[expect(deprecated, reason = "verifiers may still answer with the older word")]
    match error {
        E::Expired | E::ExpiredContext { .. } => Wrong::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => Wrong::NotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => Wrong::NameMismatch,
        E::UnknownIssuer => Wrong::UnknownIssuer,
        E::Revoked => Wrong::Revoked,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => Wrong::WrongPurpose,
        E::BadSignature => Wrong::BadSignature,
        E::UnsupportedSignatureAlgorithm
        | E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Wrong::WeakSignature,
        E::BadEncoding | E::UnhandledCriticalExtension => Wrong::Malformed,
        _ => Wrong::Refused,
    }
}

/// Every fault that can be seen, the decisive one first, each with its place.
fn faults(wrong: Wrong, chain: &Chain, links: &[Link], name: &ServerName<'_>, now: UnixTime) -> Vec<Fault> {
    let path = chain::walk(links);
    let now = seconds(now);
    let links_that = |what, holds: fn(&Link, i64) -> bool| {
        path.iter()
            .filter(move |at| links.get(**at).is_some_and(|link| holds(link, now)))
            .map(move |at| Fault { certificate: *at, what })
    };
    let mut seen: Vec<Fault> = links_that(Wrong::Expired, Link::is_expired).collect();
    seen.extend(links_that(Wrong::NotYetValid, Link::is_not_yet_valid));
    if is_for(&chain.leaf, name) == Some(false) {
        seen.push(Fault { certificate: 0, what: Wrong::NameMismatch });
    }
    // Windows has one word for both ends of the validity: the dates themselves say which.
    let first = match wrong {
        // Where none of those presented is, the platform has found its own authority out of its dates.
        what if is_dated(what) => {
            let presented = seen.iter().copied().find(|fault| is_dated(fault.what));
            presented.or(Some(Fault { certificate: links.len(), what }))
        }
        Wrong::UnknownIssuer | Wrong::Refused | Wrong::Malformed => Some(place(wrong, links, &path)),
        _ => None,
    };
    let first = first.or_else(|| short_key(wrong, links)).unwrap_or(Fault { certificate: 0, what: wrong });
    seen.retain(|fault| *fault != first);
    seen.insert(0, first);
    seen
}

/// Signatures by keys that are too short are not even looked at, and called bad.
pub(super) fn short_key(wrong: Wrong, links: &[Link]) -> Option<Fault> {
    let short = links.iter().position(|link| link.facts.has_short_key()).filter(|_| wrong == Wrong::BadSignature)?;
    Some(Fault { certificate: short, what: Wrong::WeakKey })
}

/// Where the way to a trusted authority ends, and how.
fn place(wrong: Wrong, links: &[Link], path: &[usize]) -> Fault {
    let top = path.last().copied().unwrap_or(0);
    let what = match links.get(top) {
        Some(link) if link.is_self_issued() && top == 0 => Wrong::SelfSigned,
        Some(_) if wrong == Wrong::Refused && links.first().is_some_and(|leaf| !leaf.for_servers) => {
            return Fault { certificate: 0, what: Wrong::WrongPurpose };
        }
        Some(_) if wrong != Wrong::UnknownIssuer => wrong,
        Some(link) if !link.is_self_issued() => Wrong::IncompleteChain,
        _ => Wrong::UnknownIssuer,
    };
    Fault { certificate: top, what }
}

/// Whether the certificate is for the name; nothing where it can't be read.
fn is_for(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Option<bool> {
    let leaf = ParsedCertificate::try_from(leaf).ok()?;
    Some(rustls::client::verify_server_name(&leaf, name).is_ok())
}

fn same_fingerprint(wanted: &str, own: &str) -> bool {
    let digits = wanted.chars().filter(|character| !matches!(character, ':' | ' '));
    !own.is_empty() && digits.map(|character| character.to_ascii_lowercase()).eq(own.chars())
}

pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
