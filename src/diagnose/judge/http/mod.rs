//! What the evidence of HTTP(S) requests means, once the connection, proxy and TLS stages are passed.

mod answered;
mod lighter;
mod unanswered;

use super::{Case, tls, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::Probe;
use answered::Answer;

pub(in crate::diagnose) use lighter::compared_again;
pub(super) use unanswered::garbled;

/// How many times the time given a transfer may take and still be called slow.
const MOST_PATIENCE: u64 = 10;

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Http(settings) = &case.ask.probe else { return unforeseen(case) };
    let stopped = case.evidence.stopped_at().and_then(|step| Some((step.kind, step.error?)));
    let judgement = match (case.evidence.number(Fact::Status), stopped) {
        (Some(status), stopped) => {
            let answer = Answer { case, settings, status, stopped: stopped.map(|(_, failure)| failure) };
            answer.judge()
        }
        (None, Some((kind, failure))) => unanswered::judge(case, settings, kind, failure),
        (None, None) => unforeseen(case),
    };
    lighter::compared(case, settings, judgement)
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

/// Bytes of the request's body that were sent and that were to be sent. What the far side's system has not even acknowledged
/// does not count as sent.
fn upload(case: &Case) -> Option<(u64, u64)> {
    let wanted = case.evidence.number(Fact::RequestBodyWanted)?;
    let sent = case.evidence.number(Fact::RequestBodyBytes).unwrap_or(0);
    Some((sent.saturating_sub(case.evidence.number(Fact::Unacknowledged).unwrap_or(0)), wanted))
}

/// A transfer that was still moving when the time was up: it is slow, and not stuck. Nothing where it is neither, or creeps so
/// that it would take very much longer.
fn slow(case: &Case, bytes: u64, of: Option<u64>, doing: &str) -> Option<Judgement> {
    if !case.was_moving() || of.is_some_and(|of| bytes.saturating_mul(MOST_PATIENCE) < of) {
        return None;
    }
    let seconds = case.evidence.stopped_at().map_or(0.0, |step| step.took_ms.as_f64() / 1000.0);
    let of = of.map_or_else(String::new, |of| format!(" of {of}"));
    let sentence = format!(
        "{} was still {doing} when the time was up: {bytes}{of} bytes had passed after {seconds:.1} s. The way is slow or loses \
         packets, but it is not blocked so far.",
        case.target()
    );
    Some(Judgement::unknown(Code::TimedOut, sentence).remedy(
        Who::Profile,
        "Give the check a longer `timeout`, or ask for fewer bytes; if that is too slow for the product, look for a link that is \
         overloaded or limited in rate.",
    ))
}

/// Whether the request was given to a proxy in plain text, so that the proxy itself may have answered.
pub(super) fn forwarded(case: &Case) -> bool {
    let plain = matches!(&case.ask.probe, Probe::Http(settings) if settings.https != Some(true));
    case.ask.proxy().is_some() && plain
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
