//! One cause, one finding: outcomes that one thing explains are listed under it.

use crate::model::code::{Code, Group};
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::run::{Finding, Outcome};

/// The findings of a run, the heaviest first.
#[must_use]
pub fn findings(outcomes: &[Outcome]) -> Vec<Finding> {
    let mut causes: Vec<(Cause, Vec<&Outcome>)> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| tells(outcome)) {
        let cause = Cause::of(outcome);
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, list)) => list.push(outcome),
            None => causes.push((cause, vec![outcome])),
        }
    }
    causes.sort_by_key(|(_, list)| {
        std::cmp::Reverse(list.iter().map(|outcome| outcome.status.weight()).max().unwrap_or_default())
    });
    causes.iter().filter_map(|(_, list)| finding(list)).collect()
}

fn tells(outcome: &Outcome) -> bool {
    !matches!(outcome.status, Status::Pass | Status::Skip)
}

/// What must be the same for two outcomes to have one cause.
#[derive(Debug, PartialEq, Eq)]
struct Cause {
    code: Code,
    place: String,
    status: Status,
}

impl Cause {
    fn of(outcome: &Outcome) -> Self {
        let target = outcome.target.clone().unwrap_or_default();
        let proxy = outcome.facts.get(Fact::Proxy.word()).and_then(serde_json::Value::as_str);
        let place = match outcome.code.group() {
            Group::Proxy => proxy.unwrap_or(&target).to_owned(),
            Group::Name => host(proxy.unwrap_or(&target)).to_owned(),
            // There is no way to the host, whatever the port.
            Group::Reach if outcome.code == Code::Unreachable => {
                let said_by = outcome.path.rejected_by.and_then(|icmp| icmp.from);
                format!("{} {said_by:?}", host(&target))
            }
            Group::Reach | Group::Tls => format!("{} {target}", outcome.transport),
            _ => format!("{} {target} {}", outcome.transport, outcome.check),
        };
        Self { code: outcome.code, place, status: outcome.status }
    }
}

fn host(target: &str) -> &str {
    target.rsplit_once(':').map_or(target, |(host, _)| host)
}

fn finding(list: &[&Outcome]) -> Option<Finding> {
    let first = list.first()?;
    let mut outcomes: Vec<String> = Vec::new();
    for outcome in list {
        if !outcomes.contains(&outcome.check) {
            outcomes.push(outcome.check.clone());
        }
    }
    Some(Finding { code: first.code, outcomes, sentence: first.sentence.clone(), remedy: first.remedy.clone() })
}
