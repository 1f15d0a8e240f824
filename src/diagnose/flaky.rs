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
                Some(Failure::TimedOut | Failure::Refused | Failure::Reset | Failure::Rejected | Failure::HostUnreachable)
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
    outcome.sentence = format!(
        "{target} took connections of {} in the same run and turned away this one, at {} attempts: the way is open at some \
         times only, as behind a limit on new connections. Of this one: {}",
        others.join(", "),
        outcome.attempts,
        outcome.sentence
    );
    outcome.remedy = Some(Remedy {
        who: Who::Network,
        text: format!(
            "Look for a limit on new connections to {target} (a rate limit, a limit per source, SYN protection) on the firewalls \
             between and on the host itself, for a cluster of which one member lacks the rule, and for packet loss."
        ),
    });
    (outcome.status, outcome.code) = (Status::Warn, Code::Flaky);
    (outcome.lost, outcome.confidence) = (None, Confidence::Proven);
}
