//! TCP connections that were not answered: which half was lost, by what the far side saw of the request.

use super::view::View;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    let trail = &view.trail;
    if trail.half_open && view.watched(Means::Packets) && !trail.reply_out {
        return Some(kept_back(view));
    }
    if trail.half_open || (trail.request_in && trail.reply_out) {
        return Some(reply_lost(view));
    }
    if trail.request_in {
        return Some(stopped_at_host(view));
    }
    if trail.ended && view.observed.alone && view.answered() {
        return Some(reply_lost_by_counters(view));
    }
    match view.answering? {
        _ if view.watched(Means::Packets) => Some(never_arrived(view)),
        AnsweredBy::Responder | AnsweredBy::Service => {
            view.watched(Means::ConnectionTable).then(|| never_accepted(view))
        }
        AnsweredBy::Nothing => Some(nothing_listens(view)),
    }
}

/// The same code and status, with more known.
fn known(view: &View, lost: Lost, confidence: Confidence, sentence: String) -> Judgement {
    Judgement { confidence, sentence, ..view.again() }.lost(lost)
}

fn reply_lost(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.observed.prober);
    let sentence = if view.trail.half_open {
        format!(
            "The connection request to {target} arrived there (the far side has it half-open), but the answer to {prober} was \
             lost on the way back."
        )
    } else {
        format!(
            "The connection request to {target} arrived there and was answered, but the answer to {prober} was lost on the way back."
        )
    };
    known(view, Lost::Reply, view.proof_of_presence(), sentence).remedy(Who::Network, view.rule_back())
}

/// The host took the request, and no answer left it.
fn kept_back(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.observed.prober);
    let sentence = format!(
        "The connection request to {target} was taken there, but no answer left that host: its own outgoing firewall drops it."
    );
    known(view, Lost::Reply, view.proof_of_presence(), sentence).remedy(
        Who::TargetHost,
        format!("In the firewall of {target} itself, let answers of established connections out to {prober}."),
    )
}

fn stopped_at_host(view: &View) -> Judgement {
    let target = view.target();
    if view.answering == Some(AnsweredBy::Nothing) {
        let sentence = format!(
            "The connection request to {target} arrived at that host, which did not answer: nothing listens on the port, and the \
             host's own firewall keeps silent about it."
        );
        return known(view, Lost::Request, Confidence::Likely, sentence).remedy(
            Who::TargetHost,
            format!(
                "Start the service on {target}, and allow the port in the firewall of that host itself: {}",
                view.rule()
            ),
        );
    }
    let sentence = format!("The connection request to {target} arrived at that host, but its own firewall dropped it.");
    known(view, Lost::Request, view.proof_of_presence(), sentence)
        .remedy(Who::TargetHost, format!("{} The rule is missing in the firewall of that host itself.", view.rule()))
}

fn reply_lost_by_counters(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "The connection request to {target} most likely arrived there: the far side counted connections that were ended while \
         half-open, so the answers are rejected on the way back."
    );
    known(view, Lost::Reply, Confidence::Likely, sentence).remedy(Who::Network, view.rule_back())
}

/// Nothing came, below any firewall of the host.
fn never_arrived(view: &View) -> Judgement {
    let target = view.target();
    let but = if view.answering == Some(AnsweredBy::Nothing) {
        " (Besides, nothing listens on that port there.)"
    } else {
        ""
    };
    let sentence = format!(
        "The connection request to {target} never arrived: the far side watched its packets and saw none of it, so it is \
         dropped on the way.{but}"
    );
    known(view, Lost::Request, view.proof_of_absence(), sentence).remedy(Who::Network, view.rule())
}

/// Nothing came through the host's firewall to the service.
fn never_accepted(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "The connection request to {target} never arrived: the port is open there and saw nothing of it, so it is dropped on \
         the way, or by the firewall of that host itself."
    );
    known(view, Lost::Request, view.proof_of_absence(), sentence)
        .remedy(Who::Network, format!("{} Look at the firewall of the host itself too.", view.rule()))
}

fn nothing_listens(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "{target} did not answer, and on the far side nothing listens on that port: a firewall on the way drops the packets, or \
         the host keeps silent about a closed port. A responder there would tell which."
    );
    Judgement { sentence, ..view.again() }.remedy(
        Who::TargetHost,
        format!(
            "Start the service on {target}, or let `bothways listen` open the port there, and check again. {}",
            view.rule()
        ),
    )
}
