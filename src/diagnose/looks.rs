//! Which further looks would decide a judgement; pure. The engine takes them while the check still has time, and judges again.

use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::evidence::StepKind;
use crate::model::finding::{Judgement, Status};
use crate::model::look::Look;
use crate::model::probe::Protocol;

/// The looks that can tell more about a conversation that was judged so.
#[must_use]
pub fn wanted(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if !matches!(judgement.status, Status::Fail | Status::Unknown | Status::Warn) || case.address.is_none() {
        return Vec::new();
    }
    match judgement.code {
        Code::Dropped | Code::Refused | Code::Rejected | Code::Unreachable | Code::RefusedInPath => vec![Look::Path],
        Code::TlsDropped | Code::TlsReset if over_http(case) => vec![Look::Hello],
        Code::TlsExpired | Code::TlsNotYetValid if over_http(case) => vec![Look::Clock],
        _ if case.ask.probe.protocol() == Protocol::Websocket => of_websocket(case, judgement.code),
        _ => Vec::new(),
    }
}

/// An upgrade that failed is tried over the other scheme; while a connection is idle, others are beside it.
fn of_websocket(case: &Case, code: Code) -> Vec<Look> {
    let idle = case.evidence.steps.iter().any(|step| step.kind == StepKind::Hold);
    match code {
        Code::TimedOut | Code::WsIdleKilled if idle => vec![Look::IdleTimes],
        Code::WsRefused
        | Code::WsUpgradeStripped
        | Code::WsBadAccept
        | Code::WsFramesLost
        | Code::Silent
        | Code::ClosedAfterConnect
        | Code::ResetOnPayload
        | Code::ResetAfterConnect => vec![Look::OtherScheme],
        _ => Vec::new(),
    }
}

/// Whether TLS carries HTTP there: what is asked again is asked in HTTP.
fn over_http(case: &Case) -> bool {
    matches!(case.ask.probe.protocol(), Protocol::Http | Protocol::Websocket)
}
