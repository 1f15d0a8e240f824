//! Conversations that worked: whether it was the far side that answered, and what of them was changed on the way.

use super::changes;
use super::view::View;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::flow::Transport;
use crate::model::run::Receipt;
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    if answered_by_proxy(view) {
        return Some(by_proxy(view));
    }
    if answered_by_somebody_else(view) {
        return Some(by_somebody_else(view, view.proof_of_absence()));
    }
    greeting_lost(view).or_else(|| changes::judge(view))
}

/// A responder of plain TCP greets everybody. Where its system waited in vain for the greeting to be acknowledged, and none came
/// here, it was lost: it is not late, for the systems acknowledge whatever their programs do.
pub(super) fn greeting_lost(view: &View) -> Option<Judgement> {
    let waited = |receipt: &Receipt| receipt.unacknowledged.is_some_and(|bytes| bytes > 0);
    if view.holds(Fact::Echoed) || view.number(Fact::ReceivedBytes) != Some(0) || !view.responder() {
        return None;
    }
    let (confidence, receipt) = match view.receipt() {
        Some((_, receipt)) => (Confidence::Proven, receipt),
        None if view.perhaps_greeted().all(waited) => (view.proof_of_presence(), view.perhaps_greeted().next()?),
        None => return None,
    };
    let (target, prober) = (view.target(), view.prober);
    let sentence = format!(
        "{target} accepted the connection, but the {} bytes with which the responder there greets were lost on the way back to \
         {prober}: a device on the way lets connections open and drops what they carry.",
        receipt.sent_bytes
    );
    waited(receipt).then(|| {
        Judgement::fail(Code::Silent, confidence, sentence).lost(Lost::Reply).remedy(
            Who::Network,
            format!(
                "Look for a device on the way that inspects, cuts or limits answers, and exempt the flow. {}",
                view.rule_back()
            ),
        )
    })
}

/// A responder repeats the token in every answer: one without it, to a request that never arrived, is not from it.
fn answered_by_proxy(view: &View) -> bool {
    let carries = view.text(Fact::Token).is_some() && view.number(Fact::Status).is_some();
    view.through_proxy() && view.responder() && carries && !view.holds(Fact::Echoed) && view.receipt().is_none()
}

fn by_proxy(view: &View) -> Judgement {
    let (target, proxy) = (view.target(), view.text(Fact::Proxy).unwrap_or_default());
    let sentence = format!(
        "The proxy {proxy} answered for {target} with a page of its own, a kept one, or another host's: the request never arrived \
         there, and the answer is not from the responder there."
    );
    Judgement::fail(Code::HttpAltered, Confidence::Likely, sentence).lost(Lost::Request).remedy(
        Who::Network,
        format!(
            "Let the proxy {proxy} pass requests to {target} on to that very host, without a page of its own. {}",
            view.rule()
        ),
    )
}

/// Nothing proves that the far side answered, and it would know.
fn answered_by_somebody_else(view: &View) -> bool {
    let seen = view.receipt().is_some() || view.perhaps_received() || view.trail.arrived();
    if seen || view.through_proxy() || view.holds(Fact::Echoed) || view.outcome.transport == Transport::Udp {
        return false;
    }
    match view.answering {
        Some(AnsweredBy::Responder) => true,
        // The right answer of a real protocol is a proof of its own.
        Some(AnsweredBy::Service) => view.watched(Means::Packets) && view.outcome.confidence != Confidence::Proven,
        _ => false,
    }
}

/// Something accepted, or even answered, in the far side's place.
pub(super) fn by_somebody_else(view: &View, confidence: Confidence) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "Something accepts connections to {target} in its place: the far side is open on that port and saw nothing of this one. \
         It is a device on the way (a transparent proxy, a security client, a load balancer), or the name leads to another host."
    );
    Judgement::fail(Code::AcceptedInPath, confidence, sentence).lost(Lost::Request).remedy(
        Who::Network,
        format!(
            "See that {target} is the right address, and exempt this flow from the device that answers for it. {}",
            view.rule()
        ),
    )
}
