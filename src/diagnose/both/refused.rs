//! Refusals, of connections and of datagrams: the host's own, or those of a firewall in its place.

use super::near;
use super::view::View;
use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    if let Some(own) = near::refusal(view) {
        return Some(own);
    }
    let trail = &view.trail;
    let answering = view.answering?;
    // It took what was sent: whatever refused did so beside it, or in another attempt.
    if view.receipt().is_some() || view.perhaps_received() {
        return None;
    }
    if trail.request_in && trail.refusal_out {
        return Some(by_the_host(view, answering));
    }
    if trail.half_open || trail.request_in && trail.reply_out {
        return Some(answer_replaced(view));
    }
    match answering {
        AnsweredBy::Nothing if view.watched(Means::Packets) => unseen(view),
        AnsweredBy::Nothing | AnsweredBy::Elsewhere => Some(nothing_listens(view, answering)),
        AnsweredBy::Responder | AnsweredBy::Service => unseen(view),
    }
}

/// One side alone knows that it was a device on the way: which half it was about is left.
pub(super) fn in_path(view: &View) -> Option<Judgement> {
    if let Some(own) = near::refusal(view) {
        return Some(own);
    }
    let trail = &view.trail;
    if trail.half_open || trail.request_in && trail.reply_out {
        return Some(answer_replaced(view));
    }
    let looked = view.answering.is_some() && view.watched(Means::Packets) && !view.several_addresses();
    if looked && !trail.request_in && view.outcome.confidence < Confidence::Proven {
        return Some(confirmed(view));
    }
    view.outcome.lost.is_none().then(|| view.again().lost(Lost::Request))
}

/// The host was watched, and nothing came there that it could have refused.
fn confirmed(view: &View) -> Judgement {
    let remark = format!(" The far side watched its packets and saw none of it.{}", view.doubt());
    let sentence = &view.outcome.sentence;
    // Judged twice, it is said once.
    let sentence = if sentence.ends_with(&remark) { sentence.clone() } else { format!("{sentence}{remark}") };
    Judgement { sentence, confidence: view.proof_of_absence(), ..view.again() }.lost(Lost::Request)
}

fn nothing_listens(view: &View, answering: AnsweredBy) -> Judgement {
    let target = view.target();
    if answering == AnsweredBy::Elsewhere {
        let sentence = format!(
            "{target} refused: the far side says that its service listens on other addresses of that host only, such as 127.0.0.1."
        );
        return Judgement { confidence: Confidence::Proven, sentence, ..view.again() }.remedy(
            Who::TargetHost,
            format!("Let the service listen on the address of {target}, or on all addresses of that host."),
        );
    }
    if view.unopened {
        return unopened(view);
    }
    let sentence = format!("{target} refused, and the far side says that nothing listens on that port there.");
    Judgement { confidence: Confidence::Proven, sentence, ..view.again() }
        .remedy(Who::TargetHost, format!("Start the service on {target}, or correct the port in the profile."))
}

/// Nothing could answer there, so that nothing is known of the way to what will.
fn unopened(view: &View) -> Judgement {
    let sentence = format!(
        "{} refused, as it must: nothing listens there, and `bothways listen` could not open that port in its place. \
         Whether this flow works is not known.",
        view.target()
    );
    Judgement::unknown(Code::PortInUse, sentence).remedy(
        Who::TargetHost,
        "Let `bothways listen` open that port (below 1024 it takes root on Linux; Windows reserves ranges of ports, `netsh \
         int ipv4 show excludedportrange tcp`), or start the service there, and check again.",
    )
}

/// The request was seen at the host and a refusal leaving it.
fn by_the_host(view: &View, answering: AnsweredBy) -> Judgement {
    let target = view.target();
    let judgement = |sentence| Judgement { confidence: view.proof_of_presence(), sentence, ..view.again() };
    match answering {
        AnsweredBy::Nothing | AnsweredBy::Elsewhere => nothing_listens(view, answering),
        AnsweredBy::Responder | AnsweredBy::Service => judgement(format!(
            "The firewall of {target} itself refused: the request arrived at that host and was refused by it, but never \
             came to what listens there."
        ))
        .lost(Lost::Request)
        .remedy(Who::TargetHost, format!("{} The rule is missing in the firewall of that host itself.", view.rule())),
    }
}

/// Nobody watched packets there, but the refusal came from where the host is.
fn most_likely_by_the_host(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "The firewall of {target} itself refused: the refusal comes from where that host is, and what listens on the port there \
         saw nothing of the request."
    );
    Judgement { confidence: Confidence::Likely, sentence, ..view.again() }
        .lost(Lost::Request)
        .remedy(Who::TargetHost, format!("{} The rule is missing in the firewall of that host itself.", view.rule()))
}

/// The host granted the connection, and a refusal came in its place.
fn answer_replaced(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let sentence = format!(
        "The request to {target} arrived there and was answered, but a refusal came to {prober} in place of the answer: a \
         device on the way back refuses in that host's name."
    );
    Judgement::fail(view.specific(Code::RefusedInPath), view.proof_of_presence(), sentence)
        .lost(Lost::Reply)
        .remedy(Who::Network, view.rule_back())
}

/// What listens there saw nothing of the request.
fn unseen(view: &View) -> Option<Judgement> {
    if view.unreceipted() {
        return None;
    }
    let packets = view.watched(Means::Packets);
    if !packets && view.refused_from_as_far_as_the_host() {
        return Some(most_likely_by_the_host(view));
    }
    let (target, doubt) = (view.target(), view.doubt());
    let place = match (packets, view.trail.request_in) {
        (true, true) => {
            "The request arrived there too, so a device on the way refuses beside it, and that host drops it"
        }
        (true, false) => "None of its packets arrived there, so the firewall is on the way",
        (false, _) => "The firewall is on the way, or that host's own",
    };
    let there = if view.answered() { "the port is open there, and what listens saw" } else { "that host saw" };
    let sentence =
        format!("A firewall refused in the place of {target}: {there} nothing of the request. {place}.{doubt}");
    let confidence = if packets { view.proof_of_absence() } else { Confidence::Likely };
    Some(
        Judgement::fail(view.specific(Code::RefusedInPath), confidence, sentence)
            .lost(Lost::Request)
            .remedy(Who::Network, view.rule()),
    )
}
