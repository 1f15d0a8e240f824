//! What worked, but only when it was asked again: packets are lost on the way, or a limit on new connections drops them.

use super::Case;
use crate::diagnose::looks;
use crate::model::code::Code;
use crate::model::evidence::{Failure, Millis, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status, Who};
use crate::model::flow::Transport;
use crate::model::way::{Said, Way};

/// So many connection requests that were lost one after the other are more than chance.
const SEVERAL: u64 = 2;

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
    let (told, but) = match number(Fact::SegmentRepeats) {
        _ if repeats > 0 => (
            format!(" (Only connection request {first} was answered, after {took}; what came before it was lost.)"),
            format!("only connection request {first} was answered, after {took}"),
        ),
        0 if case.evidence.fact(Fact::FullPackets).and_then(serde_json::Value::as_bool) == Some(false) => {
            (String::new(), "an exchange of full-sized packets did not come to its end".to_owned())
        }
        0 => (String::new(), "an answer came late".to_owned()),
        _ => (String::new(), "parts of the conversation had to be sent again".to_owned()),
    };
    // Two in a row are no chance any more.
    if repeated == 0 && repeats < SEVERAL {
        return Judgement { sentence: judgement.sentence + &told, ..judgement };
    }
    let sentence = format!(
        "{} works, but {but}, and of {tried} more connections {repeated} were not opened by their first request: {LOSSY}.",
        case.target(),
    );
    Judgement::warn(Code::Flaky, Confidence::Proven, sentence).remedy(Who::Network, look_for_loss(case))
}

/// What it means that some of the same requests are answered and others are not.
const LOSSY: &str =
    "packets are lost on the way there or back, as on a line with loss, or behind a limit on new connections";

fn look_for_loss(case: &Case) -> String {
    let (host, port) = case.ask.first_hop();
    match case.ask.probe.protocol().transport() {
        Transport::Tcp => format!(
            "Look for packet loss on the way to TCP {port} of {host}, and for a limit on new connections (a rate limit, SYN \
             protection, a full table of connections) on the firewalls between. A server too busy to take connections drops \
             their requests as well."
        ),
        Transport::Udp => format!(
            "Look for packet loss on the way to UDP {port} of {host}, and for a limit on the rate of datagrams on the firewalls \
             between. A service too busy to answer loses them as well."
        ),
    }
}

/// A conversation that came to nothing in its time although the same port answers others at times: it is not blocked.
pub(super) fn by_chance(case: &Case) -> Option<Judgement> {
    let step = case.evidence.stopped_at().filter(|step| step.error == Some(Failure::TimedOut))?;
    let number = |fact| case.evidence.number(fact).unwrap_or_default();
    let transport = case.ask.probe.protocol().transport();
    let (tried, lost) = match transport {
        Transport::Tcp => (number(Fact::ConnectsTried), number(Fact::ConnectsRepeated)),
        Transport::Udp => (number(Fact::ExchangesTried), number(Fact::ExchangesLost)),
    };
    let answered = tried.saturating_sub(lost);
    // A queue that is full loses requests too, and a server that hangs fills it: so there must be a loss of this conversation's.
    let repeats = number(Fact::ConnectRepeats);
    let repeated = repeats + number(Fact::SegmentRepeats) > 0;
    // A further look has had an answer of the very port.
    let elsewhere = Way::of_port(case.evidence).end.is_some_and(|end| end.said == Said::Accepted);
    let at_times = match (transport, step.kind) {
        (_, StepKind::Hold) => false,
        (Transport::Tcp, StepKind::Connect) => answered > 0 || lost > 0 && elsewhere,
        (Transport::Tcp, _) if repeats >= SEVERAL => true,
        (Transport::Tcp, _) => repeated && lost > 0 && (answered > 0 || elsewhere || repeats > 0),
        (Transport::Udp, _) if case.evidence.number(Fact::TransferPort).is_none() => {
            answered > 0 || lost > 0 && elsewhere
        }
        (Transport::Udp, _) => answered > 0 && lost > 0,
    };
    if !at_times {
        return None;
    }
    let sentence = match transport {
        Transport::Tcp => {
            let late = if repeats == 0 { String::new() } else { format!(" (connection request {} was)", repeats + 1) };
            format!(
                "{} was not answered in time{late}, but of {tried} more connections {answered} were opened by their first request \
                 and {lost} were not: {LOSSY}.",
                case.target()
            )
        }
        Transport::Udp => format!(
            "{} was not answered in time, but of {tried} more datagrams {answered} were answered: they are lost on the \
             way there or back, as on a line with loss, or behind a limit on their rate.",
            case.target()
        ),
    };
    Some(Judgement::warn(Code::Flaky, Confidence::Proven, sentence).remedy(Who::Network, look_for_loss(case)))
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
    Judgement::warn(Code::Flaky, Confidence::Proven, sentence).remedy(Who::Network, look_for_loss(case))
}

fn seconds(took: Millis) -> String {
    format!("{:.1} s", took.as_f64() / 1000.0)
}
