//! How conversations went that differ in nothing but the size of their packets, and what their silence says.

use super::filled::PADDING;
use super::sizes::Search;
use crate::model::ask::Ask;
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::flow::Transport;

/// The status with which a server ends a request that does not come to its end (RFC 9110 15.5.9).
const REQUEST_TIMEOUT: u64 = 408;
/// How often a system that hears nothing has sent a packet by then, besides the first time, where chance did not lose it.
const LOST_REPEATS: u64 = 2;

/// How a conversation with segments of one size went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It came to an end of its own, or as far as is enough.
    Works,
    /// The connection was opened, and then it hung.
    Hangs,
    /// It did not come so far, or was ended: says nothing of packets.
    Unclear,
}

/// What shows that packets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enough {
    Answered,
    /// So many bytes were sent, and the far side's system has acknowledged them all: its server may take its time.
    Acknowledged(u64),
}

impl Enough {
    /// A responder fills its answer as well, and a file is all answer; any other server is only sent something long.
    pub fn of_filled(ask: &Ask, seen: &Evidence) -> Self {
        match ask.probe.protocol().transport() {
            // A proxy's system acknowledges what the target never gets.
            Transport::Tcp if !seen.holds(Fact::Echoed) && ask.proxy().is_none() => Self::Acknowledged(PADDING),
            _ => Self::Answered,
        }
    }

    pub fn met(self, evidence: &Evidence) -> bool {
        let Self::Acknowledged(bytes) = self else { return false };
        evidence.number(Fact::SentBytes) >= Some(bytes) && evidence.number(Fact::Unacknowledged) == Some(0)
    }
}

/// Whether datagrams were exchanged.
pub(super) fn is_datagram(evidence: &Evidence) -> bool {
    evidence.passed(StepKind::Connect) && evidence.number(Fact::SentBytes).is_none()
}

/// How much it says that a conversation was not answered in time: all, where the system has sent it again and again.
pub(super) fn weight(evidence: &Evidence, quick: bool) -> u8 {
    let number = |fact| evidence.number(fact).unwrap_or_default();
    let vanished = number(Fact::Unacknowledged) > 0 && number(Fact::SegmentRepeats) >= LOST_REPEATS;
    if vanished || quick { Search::SURE } else { 1 }
}

/// Whether packets of every size are lost at times, so that a comparison of sizes says nothing.
pub(super) fn lost_by_chance(evidence: &Evidence, held: Held) -> bool {
    let number = |fact| evidence.number(fact).unwrap_or_default();
    let repeats = number(Fact::ConnectRepeats) + number(Fact::Resends);
    let unopened = evidence.stopped_at().is_some_and(|step| step.kind == StepKind::Connect);
    unopened || held == Held::Works && repeats > 0
}

/// How a conversation went, or goes so far.
pub(super) fn held(evidence: &Evidence, ended: bool) -> Held {
    // A datagram's socket is always there: only an answer shows that there is anybody.
    let connected =
        evidence.passed(StepKind::Connect) && (!is_datagram(evidence) || evidence.fact(Fact::TransferPort).is_some());
    match evidence.stopped_at().and_then(|step| step.error) {
        // What it says to a request that did not come to its end.
        None if ended && evidence.number(Fact::Status) == Some(REQUEST_TIMEOUT) => Held::Hangs,
        None if ended => Held::Works,
        None | Some(Failure::TimedOut) if connected => Held::Hangs,
        Some(failure) if ended && connected && is_answer(failure) => Held::Works,
        _ => Held::Unclear,
    }
}

/// Whether a failure is what the far side has said, and not what has become of the connection.
fn is_answer(failure: Failure) -> bool {
    !matches!(
        failure,
        Failure::TimedOut
            | Failure::Refused
            | Failure::Reset
            | Failure::Closed
            | Failure::HostUnreachable
            | Failure::NetworkUnreachable
            | Failure::Rejected
            | Failure::Denied
            | Failure::AddressInUse
            | Failure::AddressUnavailable
            | Failure::NoMoreSockets
            | Failure::Interrupted
            | Failure::Internal
    )
}
