//! Places that take one connection and turn another away within the same run: not closed, but flaky.

use std::collections::BTreeMap;

use crate::model::code::Code;
use crate::model::evidence::{Failure, Step, StepKind};
use crate::model::finding::{Confidence, Remedy, Status, Who};
use crate::model::flow::Transport;
use crate::model::run::Outcome;

/// The places (`ip:port`) at which TCP connections were opened.
pub fn connected(steps: &[Step]) -> impl Iterator<Item = &str> {
    let opened = steps.iter().filter(|step| step.kind == StepKind::Connect && step.error.is_none());
    opened.filter_map(|step| step.address.as_deref())
}

/// The places (`ip:port`) at which TCP connections could not be opened, for a reason that lies on the way or there.
pub fn turned_away(steps: &[Step]) -> impl Iterator<Item = &str> {
    let failed = steps.iter().filter(|step| {
        step.kind == StepKind::Connect
            && matches!(
                step.error,
                Some(
                    Failure::TimedOut
                        | Failure::Refused
                        | Failure::Reset
                        | Failure::Rejected
                        | Failure::HostUnreachable
                )
            )
    });
    failed.filter_map(|step| step.address.as_deref())
}

/// Judges again the failures of one machine's run that its other checks disprove: they were let in at the very place.
pub fn contradicted(outcomes: &mut [Outcome]) {
    let mut opened: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.transport == Transport::Tcp) {
        for place in connected(&outcome.steps) {
            let checks = opened.entry(place.to_owned()).or_default();
            if !checks.contains(&outcome.check) {
                checks.push(outcome.check.clone());
            }
        }
    }
    for outcome in outcomes.iter_mut().filter(|outcome| is_turned_away(outcome)) {
        let others = turned_away(&outcome.steps).find_map(|place| opened.get(place));
        if let Some(others) = others.cloned() {
            make_flaky(outcome, &others);
        }
    }
}

fn is_turned_away(outcome: &Outcome) -> bool {
    outcome.status == Status::Fail
        && outcome.transport == Transport::Tcp
        && matches!(
            outcome.code,
            Code::Refused
                | Code::RefusedInPath
                | Code::Rejected
                | Code::Dropped
                | Code::Unreachable
                | Code::ProxyUnreachable
                | Code::SqlInstancePortBlocked
        )
}

fn make_flaky(outcome: &mut Outcome, others: &[String]) {
    let target = outcome.target.clone().unwrap_or_default();
    let attempts = match outcome.attempts {
        0 | 1 => "the only attempt".to_owned(),
        number => format!("every one of {number} attempts"),
    };
    outcome.sentence = format!(
        "{target} took connections of {} in the same run and turned this one away at {attempts}: the way is open at some times \
         only, as behind a limit on new connections. Of this one: {}",
        others.join(", "),
        outcome.sentence
    );
    outcome.remedy = Some(remedy(&target));
    (outcome.status, outcome.code) = (Status::Warn, Code::Flaky);
    (outcome.lost, outcome.confidence) = (None, Confidence::Proven);
}

/// What to do about a place that answers at some times only.
#[must_use]
pub fn remedy(target: &str) -> Remedy {
    let text = format!(
        "Look for a limit on new connections to {target} (a rate limit, a limit per source, SYN protection) on the firewalls \
         between and on the host itself, for a cluster of which one member lacks the rule, and for packet loss."
    );
    Remedy { who: Who::Network, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::fold::tests::{failed, stopped};

    fn opened(check: &str, target: &str) -> Outcome {
        let mut outcome = stopped(failed(check, target, Code::Ok), StepKind::Connect, Failure::Refused);
        outcome.steps[0].error = None;
        Outcome { status: Status::Pass, ..outcome }
    }

    fn refused(check: &str, target: &str) -> Outcome {
        stopped(failed(check, target, Code::Refused), StepKind::Connect, Failure::Refused)
    }

    #[test]
    fn a_place_that_took_another_connection_is_flaky() {
        let mut outcomes = [refused("a", "10.9.2.2:80"), opened("b", "10.9.2.2:80")];
        contradicted(&mut outcomes);
        assert_eq!((outcomes[0].status, outcomes[0].code), (Status::Warn, Code::Flaky));
        assert!(outcomes[0].sentence.contains("connections of b"), "{}", outcomes[0].sentence);
        assert_eq!(outcomes[1].status, Status::Pass);
    }

    #[test]
    fn another_port_and_datagrams_disprove_nothing() {
        let datagram = Outcome { transport: Transport::Udp, ..opened("c", "10.9.2.2:80") };
        let mut outcomes = [refused("a", "10.9.2.2:80"), opened("b", "10.9.2.2:81"), datagram];
        contradicted(&mut outcomes);
        assert_eq!((outcomes[0].status, outcomes[0].code), (Status::Fail, Code::Refused));
    }

    #[test]
    fn what_failed_on_an_open_connection_stays_a_failure() {
        let mute = Outcome { code: Code::Silent, ..opened("a", "10.9.2.2:80") };
        let mut outcomes = [Outcome { status: Status::Fail, ..mute }, opened("b", "10.9.2.2:80")];
        contradicted(&mut outcomes);
        assert_eq!((outcomes[0].status, outcomes[0].code), (Status::Fail, Code::Silent));
    }
}
