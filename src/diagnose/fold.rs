//! One cause, one finding: outcomes that one thing explains are listed under it.
//!
//! What must be the same for two outcomes to have one cause is in [`cause`]; the finding's words are in [`words`].

mod cause;
mod words;

use std::cmp::Reverse;

use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::run::{Finding, Outcome, RunInfo};
use cause::{Cause, Surroundings};

/// The findings of a run, the heaviest first, and among equals the one that explains most flows.
#[must_use]
pub fn findings(outcomes: &[Outcome], run: &RunInfo) -> Vec<Finding> {
    let around = Surroundings::of(outcomes, run);
    let mut groups: Vec<Group> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| tells(outcome)) {
        let cause = Cause::of(outcome, &around);
        match groups.iter_mut().find(|group| group.cause == cause) {
            Some(group) => group.explained.push(outcome),
            None => groups.push(Group { cause, explained: vec![outcome], prevented: Vec::new() }),
        }
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.code == Code::PrerequisiteFailed) {
        if let Some(group) = groups.iter_mut().find(|group| group.prevents(outcome)) {
            group.prevented.push(outcome);
        }
    }
    groups.sort_by_key(|group| Reverse((group.status().weight(), group.explained.len())));
    groups.iter().filter_map(words::finding).collect()
}

fn tells(outcome: &Outcome) -> bool {
    !matches!(outcome.status, Status::Pass | Status::Skip)
}

/// The outcomes of one cause.
struct Group<'a> {
    cause: Cause,
    explained: Vec<&'a Outcome>,
    /// What was not tested for this cause.
    prevented: Vec<&'a Outcome>,
}

impl Group<'_> {
    fn status(&self) -> Status {
        let heaviest = self.explained.iter().map(|outcome| outcome.status).max_by_key(|status| status.weight());
        heaviest.unwrap_or(Status::Unknown)
    }

    /// Whether a check that was not tested waited for one of these.
    fn prevents(&self, skipped: &Outcome) -> bool {
        let waited = skipped.text(Fact::Prerequisite);
        self.explained.iter().any(|one| waited == Some(one.check.as_str()) && one.endpoint == skipped.endpoint)
    }
}

#[cfg(test)]
pub(super) mod tests;
