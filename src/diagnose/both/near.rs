//! What the prober's own machine did to the probe: a firewall there that lets the request not out, or the answer not in.

use super::view::View;
use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Lost, Who};

/// A probe that got no answer.
pub(super) fn silence(view: &View) -> Option<Judgement> {
    let target = view.target();
    if view.own.came_back {
        let sentence = format!(
            "The answer of {target} came back as far as {}, whose own firewall did not let it in.",
            view.observed.prober
        );
        return Some(own(view, Lost::Reply, sentence).remedy(
            Who::ThisHost,
            format!(
                "In the firewall of {} ({}) itself, let the answers of established connections in from {target}.",
                view.observed.prober, view.outcome.from
            ),
        ));
    }
    if view.own.left != Some(false) || view.trail.arrived() {
        return None;
    }
    let sentence = format!(
        "The request to {target} never left {}: that machine's own firewall drops it on its way out.",
        view.observed.prober
    );
    Some(own(view, Lost::Request, sentence).remedy(Who::ThisHost, rule(view)))
}

/// A refusal that came although the request never left.
pub(super) fn refusal(view: &View) -> Option<Judgement> {
    if view.own.left != Some(false) || view.own.came_back || view.trail.arrived() {
        return None;
    }
    let sentence = format!(
        "The request to {} was refused by the machine that sent it: it never left {}, whose own firewall rejects it.",
        view.target(),
        view.observed.prober
    );
    let code = view.specific(Code::LocalBlock);
    Some(Judgement::fail(code, Confidence::Proven, sentence).lost(Lost::Request).remedy(Who::ThisHost, rule(view)))
}

fn own(view: &View, lost: Lost, sentence: String) -> Judgement {
    Judgement::fail(view.code_of_silence(lost), Confidence::Proven, sentence).lost(lost)
}

fn rule(view: &View) -> String {
    format!("{} The rule is missing in the outgoing firewall of {} itself.", view.rule(), view.observed.prober)
}
