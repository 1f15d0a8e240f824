//! What the prober's own machine did to the probe: a firewall there that lets the request not out, or the answer not in.

use super::view::View;
use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Lost, Who};

/// A probe that got no answer.
pub(super) fn silence(view: &View) -> Option<Judgement> {
    let (target, prober) = (view.target(), view.observed.prober);
    if view.own.came_back {
        let sentence =
            format!("The answer of {target} came back as far as {prober}, whose own firewall did not let it in.");
        let judgement = Judgement::fail(view.code_of_silence(Lost::Reply), Confidence::Proven, sentence);
        return Some(judgement.lost(Lost::Reply).remedy(
            Who::ThisHost,
            format!(
                "In the firewall of {prober} ({}) itself, let the answers of established connections in from {target}.",
                view.outcome.from
            ),
        ));
    }
    let sentence =
        format!("The request to {target} never left {prober}: that machine's own firewall drops it on its way out.");
    never_left(view).then(|| blocked(view, sentence))
}

/// A refusal that came although the request never left.
pub(super) fn refusal(view: &View) -> Option<Judgement> {
    let (target, prober) = (view.target(), view.observed.prober);
    let sentence = format!(
        "The request to {target} was refused by the machine that sent it: it never left {prober}, whose own firewall rejects it."
    );
    never_left(view).then(|| blocked(view, sentence))
}

/// Whether the request is known to have stayed on the prober's machine, and nothing contradicts that.
fn never_left(view: &View) -> bool {
    view.own.left == Some(false) && !view.own.came_back && !view.trail.arrived()
}

/// Whether the request is known to have left the prober's machine, whatever that machine's counters say.
pub(super) fn did_leave(view: &View) -> bool {
    view.own.left == Some(true) || view.trail.arrived()
}

fn blocked(view: &View, sentence: String) -> Judgement {
    Judgement::fail(view.specific(Code::LocalBlock), Confidence::Proven, sentence)
        .lost(Lost::Request)
        .remedy(Who::ThisHost, rule(view))
}

fn rule(view: &View) -> String {
    format!("{} The rule is missing in the outgoing firewall of {} itself.", view.rule(), view.observed.prober)
}
