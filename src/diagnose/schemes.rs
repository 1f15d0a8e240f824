//! HTTP beside HTTPS: where both lead to the same host and only one works, the other says so.

use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::run::Outcome;

/// Adds to every failure over HTTP what the same check gave on another port of the same host, where that works.
pub fn compare(outcomes: &mut [Outcome]) {
    let added: Vec<Option<String>> = outcomes.iter().map(|outcome| beside(outcome, outcomes)).collect();
    for (outcome, added) in outcomes.iter_mut().zip(added) {
        if let Some(added) = added.filter(|added| !outcome.sentence.contains(added.as_str())) {
            outcome.sentence = format!("{} {added}", outcome.sentence);
        }
    }
}

fn beside(outcome: &Outcome, all: &[Outcome]) -> Option<String> {
    if outcome.status != Status::Fail {
        return None;
    }
    let works = |other: &&Outcome| {
        other.status == Status::Pass
            && other.check == outcome.check
            && other.port != outcome.port
            && other.host().is_some_and(|there| Some(there) == outcome.host())
            && other.facts.contains_key(Fact::Status.word())
    };
    let other = all.iter().find(works)?;
    let scheme = if other.facts.contains_key(Fact::TlsVersion.word()) { "HTTPS" } else { "Plain HTTP" };
    Some(format!("{scheme} to the same host works, on port {}.", other.port?))
}
