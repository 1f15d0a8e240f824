//! What the evidence of HTTP(S) requests means, once the connection, proxy and TLS stages are passed.

mod answered;
mod unanswered;

use super::{Case, tls, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::Probe;
use answered::Answer;

pub(super) use unanswered::garbled;

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Http(settings) = &case.ask.probe else { return unforeseen(case) };
    let stopped = case.evidence.stopped_at().and_then(|step| Some((step.kind, step.error?)));
    match (case.evidence.number(Fact::Status), stopped) {
        (Some(status), stopped) => {
            let answer = Answer { case, settings, status, stopped: stopped.map(|(_, failure)| failure) };
            answer.judge()
        }
        (None, Some((kind, failure))) => unanswered::judge(case, settings, kind, failure),
        (None, None) => unforeseen(case),
    }
}

/// TLS can fail after its handshake, too: TLS 1.3 servers refuse a missing client certificate only then.
fn of_tls(case: &Case, failure: Failure) -> Option<Judgement> {
    let tls = matches!(
        failure,
        Failure::TlsClientCertificate
            | Failure::TlsAlert
            | Failure::TlsVersion
            | Failure::TlsIntercepted
            | Failure::TlsUntrusted
            | Failure::NotTls
    );
    tls.then(|| tls::judge(case, failure))
}

/// Bytes of the request's body that were sent and that were to be sent.
fn upload(case: &Case) -> Option<(u64, u64)> {
    let wanted = case.evidence.number(Fact::RequestBodyWanted)?;
    Some((case.evidence.number(Fact::RequestBodyBytes).unwrap_or(0), wanted))
}

/// Whether the request was given to a proxy in plain text, so that the proxy itself may have answered.
fn forwarded(case: &Case) -> bool {
    let https = matches!(&case.ask.probe, Probe::Http(settings) if settings.https == Some(true));
    case.ask.proxy().is_some() && !https
}

/// A failure of the network on a connection that was open already.
fn lost_on_the_way(case: &Case, failure: Failure) -> Judgement {
    let target = case.target();
    let (code, what, who) = match failure {
        Failure::HostUnreachable | Failure::NetworkUnreachable => {
            (Code::Unreachable, "then the way to it was gone", Who::Network)
        }
        Failure::Rejected | Failure::Refused => (Code::Rejected, "then a device on the way rejected it", Who::Network),
        Failure::Denied => (Code::LocalBlock, "then this machine's own firewall or policy forbade it", Who::ThisHost),
        _ => return unforeseen(case),
    };
    let sentence = format!("The connection to {target} was open, {what}.");
    Judgement::fail(code, Confidence::Proven, sentence).remedy(who, case.rule())
}
