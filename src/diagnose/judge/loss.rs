//! What worked, but only when it was asked again: packets are lost on the way, or a limit on new connections drops them.

use super::Case;
use crate::diagnose::looks;
use crate::model::code::Code;
use crate::model::evidence::{Millis, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status, Who};
use crate::model::flow::Transport;

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

/// The system counts the connection requests, and other segments, that it repeats.
fn connecting(case: &Case, judgement: Judgement) -> Judgement {
    let number = |fact| case.evidence.number(fact).unwrap_or_default();
    let (repeats, tried, repeated) =
        (number(Fact::ConnectRepeats), number(Fact::ConnectsTried), number(Fact::ConnectsRepeated));
    let connects = case.evidence.steps.iter().filter(|step| step.kind == StepKind::Connect && step.error.is_none());
    let took = seconds(connects.map(|step| step.took_ms).max().unwrap_or_default());
    let first = repeats + 1;
    let (told, but) = if repeats == 0 {
        (String::new(), "parts of the conversation had to be sent again".to_owned())
    } else {
        (
            format!(" (Only connection request {first} was answered, after {took}; what came before it was lost.)"),
            format!("only connection request {first} was answered, after {took}"),
        )
    };
    if repeated == 0 {
        return Judgement { sentence: judgement.sentence + &told, ..judgement };
    }
    let (host, port) = case.ask.first_hop();
    let sentence = format!(
        "{} works, but {but}, and of {tried} more connections {repeated} were not opened by their first request either: packets \
         are lost on the way there or back, as on a line with loss, or behind a limit on new connections.",
        case.target(),
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
    let number = |fact| case.evidence.number(fact).unwrap_or_default();
    let (repeats, tried, lost) = (number(Fact::Resends), number(Fact::ExchangesTried), number(Fact::ExchangesLost));
    if lost > 0 {
        return answered_at_times(case, &judgement, tried, lost);
    }
    if repeats == 0 || !looks::repeated(case) {
        return judgement;
    }
    let more = if tried > 0 { format!(" Each of {tried} more was answered.") } else { String::new() };
    let sentence = format!(
        "{} (Datagrams had to be sent again, {repeats} in number: some were lost, or the service is slow to answer.{more})",
        judgement.sentence
    );
    Judgement { sentence, ..judgement }
}

fn answered_at_times(case: &Case, judgement: &Judgement, tried: u64, lost: u64) -> Judgement {
    let sentence = format!(
        "{} works, but datagrams had to be sent again, and of {tried} more that were sent once each only {} were answered: they \
         are lost on the way there or back, as on a line with loss, or behind a limit on their rate. What came in the end: {}",
        case.target(),
        tried.saturating_sub(lost),
        judgement.sentence
    );
    let (host, port) = case.ask.first_hop();
    Judgement::warn(Code::Flaky, Confidence::Proven, sentence).remedy(
        Who::Network,
        format!(
            "Look for packet loss on the way to UDP {port} of {host}, and for a limit on the rate of datagrams on the firewalls \
             between. A service too busy to answer loses them as well."
        ),
    )
}

fn seconds(took: Millis) -> String {
    format!("{:.1} s", took.as_f64() / 1000.0)
}
