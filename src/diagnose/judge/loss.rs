//! What worked, but only when it was asked again: packets are lost on the way, or a limit on new connections drops them.

use super::Case;
use crate::model::code::Code;
use crate::model::evidence::{Millis, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status, Who};
use crate::model::flow::Transport;

/// Of so many packets one may be lost: a long transfer always loses some.
const TOLERABLE: u64 = 20;
/// The smallest usual block of a transfer.
const BLOCK: u64 = 512;

/// A flow that works is flaky where it had to ask again.
pub(super) fn told(case: &Case, judgement: Judgement) -> Judgement {
    if judgement.status != Status::Pass {
        return judgement;
    }
    let lost = match case.ask.probe.protocol().transport() {
        Transport::Tcp => connecting(case),
        Transport::Udp => asking(case),
    };
    lost.unwrap_or(judgement)
}

/// The system counts the connection requests that it repeats.
fn connecting(case: &Case) -> Option<Judgement> {
    let repeats = case.evidence.number(Fact::ConnectRepeats)?;
    let opened =
        |kind: StepKind| case.evidence.steps.iter().filter(move |step| step.kind == kind && step.error.is_none());
    let took = opened(StepKind::Connect).map(|step| step.took_ms).max().unwrap_or_default();
    let (host, port) = case.ask.first_hop();
    let sentence = format!(
        "{} works, but only connection request {} was answered, after {}: what came before it was lost on the way there or \
         back, as on a line with loss, or behind a limit on new connections.",
        case.target(),
        repeats + 1,
        seconds(took)
    );
    Some(Judgement::warn(Code::Flaky, Confidence::Proven, sentence).remedy(
        Who::Network,
        format!(
            "Look for packet loss on the way to TCP {port} of {host}, and for a limit on new connections (a rate limit, SYN \
             protection, a full table of connections) on the firewalls between. A server too busy to take connections drops \
             their requests as well."
        ),
    ))
}

/// Datagrams have no count of the system's; this program counts what it repeats itself.
fn asking(case: &Case) -> Option<Judgement> {
    let repeats = case.evidence.number(Fact::Resends).filter(|repeats| *repeats > 0)?;
    let packets = case.evidence.number(Fact::FileRead).unwrap_or_default() / BLOCK + 1;
    (repeats * TOLERABLE > packets).then(|| {
        let sentence = format!(
            "{} works, but datagrams had to be sent again ({repeats} times): some are lost on the way there or back, as on a \
             line with loss or behind a limit on their rate, or the service is slow to answer.",
            case.target()
        );
        Judgement::warn(Code::Flaky, Confidence::Likely, sentence).remedy(
            Who::Network,
            format!(
                "Look for packet loss on the way to UDP {} of {}, and for a rate limit on the firewalls between; see that \
                 the service there is not overloaded.",
                case.ask.port, case.ask.host
            ),
        )
    })
}

fn seconds(took: Millis) -> String {
    format!("{:.1} s", took.as_f64() / 1000.0)
}
