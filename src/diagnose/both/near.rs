//! What the prober's own machine did to the probe: a firewall there that lets the request not out, or the answer not in.

use super::view::View;
use crate::model::code::Code;
use crate::model::evidence::Millis;
use crate::model::finding::{Confidence, Judgement, Lost, Who};

/// Neighbours are asked several times before they are given up.
const AT_ONCE: Millis = Millis(300_000);

/// A probe that got no answer.
pub(super) fn silence(view: &View) -> Option<Judgement> {
    let (target, prober) = (view.target(), view.prober);
    if view.own.late {
        return Some(Judgement::unknown(
            Code::TimedOut,
            format!(
                "{target} answered, but only when the time of the check was up: that host is busy, or the way is slow."
            ),
        ));
    }
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
    let (target, prober) = (view.target(), view.prober);
    let sentence = format!(
        "The request to {target} was refused by the machine that sent it: it never left {prober}, whose own firewall rejects it."
    );
    never_left(view).then(|| blocked(view, sentence))
}

/// Whether this machine itself said at once that the target can't be reached: a neighbour that is missing takes longer.
pub(super) fn rejected_at_once(view: &View) -> bool {
    let by = view.outcome.path.rejected_by.and_then(|icmp| icmp.from).map(|from| from.to_canonical());
    by == Some(view.prober.to_canonical()) && view.failed_within(AT_ONCE)
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
    Judgement::fail(Code::LocalBlock, Confidence::Proven, sentence)
        .lost(Lost::Request)
        .remedy(Who::ThisHost, rule(view))
}

fn rule(view: &View) -> String {
    format!("{} The rule is missing in the outgoing firewall of {} itself.", view.rule(), view.prober)
}
