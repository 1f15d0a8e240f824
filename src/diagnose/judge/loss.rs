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

/// A flow that works, but had to ask again: one lost packet is told, and more of them make it flaky.
pub(super) fn told(case: &Case, judgement: Judgement) -> Judgement {
    if judgement.status != Status::Pass {
        return judgement;
    }
    match case.ask.probe.protocol().transport() {
        Transport::Tcp => connecting(case, judgement),
        Transport::Udp => asking(case, judgement),
    }
}

/// The system counts the connection requests that it repeats.
fn connecting(case: &Case, judgement: Judgement) -> Judgement {
    let Some(repeats) = case.evidence.number(Fact::ConnectRepeats) else { return judgement };
    let connects = case.evidence.steps.iter().filter(|step| step.kind == StepKind::Connect && step.error.is_none());
    let took = seconds(connects.map(|step| step.took_ms).max().unwrap_or_default());
    let tried = case.evidence.number(Fact::ConnectsTried).unwrap_or_default();
    let repeated = case.evidence.number(Fact::ConnectsRepeated).unwrap_or_default();
    if repeated == 0 {
        let sentence = format!(
            "{} (Only connection request {} was answered, after {took}; what came before it was lost.)",
            judgement.sentence,
            repeats + 1
        );
        return Judgement { sentence, ..judgement };
    }
    let (host, port) = case.ask.first_hop();
    let sentence = format!(
        "{} works, but only connection request {} was answered, after {took}, and of {tried} more connections {repeated} were \
         not opened by their first request either: requests are lost on the way there or back, as on a line with loss, or \
         behind a limit on new connections.",
        case.target(),
        repeats + 1
    );
    Judgement::warn(Code::Flaky, Confidence::Proven, sentence).remedy(
        Who::Network,
        format!(
            "Look for packet loss on the way to TCP {port} of {host}, and for a limit on new connections (a rate limit, SYN \
             protection, a full table of connections) on the firewalls between. A server too busy to take connections drops \
             their requests as well."
        ),
    )
}

/// Datagrams have no count of the system's; this program counts what it repeats itself.
fn asking(case: &Case, judgement: Judgement) -> Judgement {
    let Some(repeats) = case.evidence.number(Fact::Resends).filter(|repeats| *repeats > 0) else { return judgement };
    let packets = case.evidence.number(Fact::FileRead).unwrap_or_default() / BLOCK + 1;
    if repeats * TOLERABLE <= packets {
        return judgement;
    }
    let sentence = format!(
        "{} (Datagrams had to be sent again, {repeats} in number: some were lost, or the service is slow to answer.)",
        judgement.sentence
    );
    Judgement { sentence, ..judgement }
}

fn seconds(took: Millis) -> String {
    format!("{:.1} s", took.as_f64() / 1000.0)
}
