//! Which further looks would decide a judgement; pure. The engine takes them while the check still has time, and judges again.

use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status};
use crate::model::flow::Transport;
use crate::model::look::Look;
use crate::model::probe::Protocol;

/// A conversation in which something came less than so many milliseconds ago moves, however slowly.
const MOVING_MS: u64 = 300;

/// The looks that can tell more about a conversation that was judged so.
#[must_use]
pub fn wanted(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if matches!(judgement.status, Status::Skip | Status::Error) || case.address.is_none() {
        return Vec::new();
    }
    let small = stalls(case).then_some(Look::SmallPackets);
    small.into_iter().chain(at_way(case, judgement)).chain(at_tls(case, judgement)).collect()
}

/// The look at a TLS handshake that decides most.
fn at_tls(case: &Case, judgement: &Judgement) -> Option<Look> {
    match judgement.code {
        Code::TlsDropped | Code::TlsReset if over_http(case) => Some(Look::Hello),
        Code::TlsExpired | Code::TlsNotYetValid if over_http(case) => Some(Look::Clock),
        _ => None,
    }
}

/// The look at the way that decides most.
fn at_way(case: &Case, judgement: &Judgement) -> Option<Look> {
    let Some((step, failure)) = case.evidence.stopped_at().and_then(|step| Some((step, step.error?))) else {
        // Nothing failed, and yet it is not proved who answered.
        return (judgement.confidence < Confidence::Proven && only_accepted(case)).then_some(Look::Answerer);
    };
    match case.ask.probe.protocol().transport() {
        Transport::Udp => match failure {
            Failure::TimedOut if step.kind == StepKind::Reply && nothing_came(case) => Some(Look::Path),
            Failure::HostUnreachable | Failure::NetworkUnreachable if step.icmp.is_some() => Some(Look::Beside),
            _ => None,
        },
        Transport::Tcp if step.kind == StepKind::Connect => match failure {
            Failure::TimedOut => Some(Look::Path),
            Failure::Refused if step.icmp.is_none() => Some(Look::Answerer),
            Failure::HostUnreachable | Failure::NetworkUnreachable if step.icmp.is_some() => Some(Look::Beside),
            _ => None,
        },
        Transport::Tcp => only_accepted(case).then_some(Look::Answerer),
    }
}

/// Something accepted the connection, and not a byte came over it.
fn only_accepted(case: &Case) -> bool {
    case.ask.probe.protocol().transport() == Transport::Tcp
        && case.ask.proxy().is_none()
        && case.evidence.passed(StepKind::Connect)
        && nothing_came(case)
}

fn nothing_came(case: &Case) -> bool {
    case.evidence.number(Fact::ReceivedBytes).is_none_or(|bytes| bytes == 0)
        && case.evidence.number(Fact::TransferPort).is_none()
}

/// Whether a conversation stopped moving on a connection that was opened. (One that only idles may well be cut by something else.)
fn stalls(case: &Case) -> bool {
    let open = case.ask.probe.protocol().transport() == Transport::Tcp && case.evidence.passed(StepKind::Connect);
    let stopped = case.evidence.stopped_at().is_some_and(|step| {
        step.error == Some(Failure::TimedOut)
            && matches!(step.kind, StepKind::Proxy | StepKind::Tls | StepKind::Request | StepKind::Reply)
    });
    let moves = case.evidence.number(Fact::QuietMs).is_some_and(|millis| millis < MOVING_MS);
    open && stopped && !moves
}

/// Whether TLS carries HTTP there: what is asked again is asked in HTTP.
fn over_http(case: &Case) -> bool {
    matches!(case.ask.probe.protocol(), Protocol::Http | Protocol::Websocket)
}
