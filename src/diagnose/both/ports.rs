//! Sides whose profiles name different ports for one flow: what was tested is then not what the other side means.

use super::view::View;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Status, Who};
use crate::model::flow::Role;

/// The ports on which the far side's profile has the flow, where the probe went to another.
fn meant(view: &View) -> Option<String> {
    // An instance of SQL Server listens where its browser says.
    if view.outcome.facts.contains_key(Fact::InstancePort.word()) {
        return None;
    }
    let ports = view.ports_there();
    let asked = view.outcome.port?;
    let other = !ports.is_empty() && !ports.contains(&asked);
    let words: Vec<String> = ports.iter().map(ToString::to_string).collect();
    other.then(|| words.join(" or "))
}

/// A probe of the other side that went to a port which is not the one that this run is about: it decides nothing.
pub(super) fn foreign(view: &View) -> Option<Judgement> {
    let meant = meant(view).filter(|_| view.observed.governs)?;
    let (outcome, port) = (view.outcome, view.outcome.port?);
    let sentence = format!(
        "The two sides name different ports for this flow, so it was not tested: {} went to {} {port}, and here it is {meant}.",
        outcome.from, outcome.transport
    );
    let (sentence, remedy) = (sentence, same_port(&outcome.endpoint, &outcome.to));
    Some(Judgement::unknown(Code::NotTestableFromHere, sentence).remedy(Who::Profile, remedy))
}

/// A failure at a port that the far side's profile does not know: what was found stays, and it is said.
pub(super) fn remark(view: &View, judgement: Judgement) -> Judgement {
    let failed = matches!(judgement.status, Status::Fail | Status::Unknown) && !view.observed.governs;
    let Some(meant) = meant(view).filter(|_| failed) else { return judgement };
    let outcome = view.outcome;
    let said = format!(" (The other side's profile has this flow on {} {meant}.)", outcome.transport);
    if judgement.sentence.ends_with(&said) {
        return judgement;
    }
    let sentence = format!("{}{said}", judgement.sentence);
    Judgement { sentence, ..judgement }.remedy(Who::Profile, same_port(&outcome.endpoint, &outcome.to))
}

fn same_port(endpoint: &str, role: &Role) -> String {
    let name = if endpoint.is_empty() { role.as_str() } else { endpoint };
    format!("Give both sides the same port, in the profile or with `--set {name}.port=PORT`, and check again.")
}
