//! Which further looks would decide a judgement; pure. The engine takes them while the check still has time, and judges again.

use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Status};
use crate::model::flow::Transport;
use crate::model::look::Look;

/// A conversation in which something came less than so many milliseconds ago moves, however slowly.
const MOVING_MS: u64 = 300;

/// The looks that can tell more about a conversation that was judged so.
#[must_use]
pub fn wanted(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if !matches!(judgement.status, Status::Fail | Status::Unknown | Status::Warn) || case.address.is_none() {
        return Vec::new();
    }
    if stalls(case) {
        return vec![Look::SmallPackets];
    }
    match judgement.code {
        Code::Dropped | Code::Refused | Code::Rejected | Code::Unreachable | Code::RefusedInPath => vec![Look::Path],
        _ => Vec::new(),
    }
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
