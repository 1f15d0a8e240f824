//! TCP connections that were not answered: which half was lost, by what the far side saw of the request.

use super::near;
use super::view::View;
use crate::model::finding::{Confidence, Judgement, Lost, Status, Who};
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    if let Some(own) = near::silence(view) {
        return Some(own);
    }
    let trail = &view.trail;
    let answered_there = trail.half_open || trail.reply_refused && !trail.refusal_out;
    if answered_there && view.watched(Means::Packets) && !trail.reply_out {
        return Some(kept_back(view));
    }
    if trail.reply_refused && trail.request_in && trail.reply_out {
        return Some(reply_rejected(view));
    }
    if trail.half_open || trail.request_in && trail.reply_out {
        return Some(reply_lost(view));
    }
    if trail.request_in && trail.refusal_out {
        return Some(refusal_lost(view));
    }
    if trail.request_in && trail.no_way_back {
        return Some(without_way_back(view));
    }
    if trail.request_in {
        return Some(stopped_at_host(view));
    }
    if trail.ended && !view.watched(Means::Packets) && view.answered() {
        return Some(perhaps_ended(view));
    }
    match view.answering? {
        _ if view.watched(Means::Packets) => Some(never_arrived(view)),
        AnsweredBy::Responder | AnsweredBy::Service => {
            view.watched(Means::ConnectionTable).then(|| never_accepted(view))
        }
        AnsweredBy::Nothing | AnsweredBy::Elsewhere => Some(nothing_listens(view)),
    }
}

/// The same code and status, with more known.
fn known(view: &View, lost: Lost, confidence: Confidence, sentence: String) -> Judgement {
    Judgement { code: view.code_of_silence(lost), confidence, sentence, ..view.again() }.lost(lost)
}

fn reply_lost(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
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

/// A device on the way back told the far side that its answer may not pass.
fn reply_rejected(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let back = view.rule_back();
    let (who, rejected, rule) = match view.trail.reply_rejected_by.and_then(|icmp| icmp.from) {
        Some(from) if view.is_probers_own(from) => {
            let rejected = format!("{prober} itself rejected the answer: its own firewall does not let it in");
            (Who::ThisHost, rejected, format!("{back} The rule is missing in the firewall of {prober} itself."))
        }
        Some(from) => {
            let rejected = format!("{from} rejected the answer on its way back to {prober}");
            (Who::Network, rejected, format!("{back} The rule is missing on {from}."))
        }
        None => (Who::Network, format!("a reset met the answer on its way back to {prober}"), back),
    };
    let sentence = format!("The connection request to {target} arrived there and was answered, but {rejected}.");
    known(view, Lost::Reply, view.proof_of_presence(), sentence).remedy(who, rule)
}

/// The host took the request, and no answer left it.
fn kept_back(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let sentence = format!(
        "The connection request to {target} was taken there, but no answer left that host: its own outgoing firewall drops it."
    );
    known(view, Lost::Reply, view.proof_of_presence(), sentence).remedy(
        Who::TargetHost,
        format!("In the firewall of {target} itself, let answers of established connections out to {prober}."),
    )
}

/// The host can't answer: a system without a route back takes no request of TCP.
pub(super) fn without_way_back(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let sentence = format!(
        "The request to {target} arrived there, but no answer left that host: it has no route back to {prober}."
    );
    let lost = known(view, Lost::Reply, view.proof_of_presence(), sentence);
    Judgement { status: Status::Fail, ..lost }
        .remedy(Who::TargetHost, format!("Set a route from {target} back to {prober}."))
}

/// The host refused, and not even that came back.
fn refusal_lost(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let why = match view.answering {
        Some(AnsweredBy::Responder) => "its own firewall",
        Some(AnsweredBy::Nothing | AnsweredBy::Elsewhere) => "nothing listens on that port of that address",
        _ => "its own firewall, or nothing listens on that address",
    };
    let sentence = format!(
        "The connection request to {target} arrived at that host, which refused it ({why}); the refusal was lost on the way \
         back to {prober}, so answers would be too."
    );
    known(view, Lost::Reply, view.proof_of_presence(), sentence).remedy(Who::Network, view.rule_back())
}

fn stopped_at_host(view: &View) -> Judgement {
    let target = view.target();
    if !view.answered() {
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
    let or = if view.responder() { "" } else { ", or the service there takes no more connections" };
    let sentence = format!(
        "The connection request to {target} arrived at that host, but its own firewall dropped it, or its reverse path filter, \
         where it answers by another network{or}."
    );
    known(view, Lost::Request, view.proof_of_presence(), sentence)
        .remedy(Who::TargetHost, format!("{} The rule is missing in the firewall of that host itself.", view.rule()))
}

/// Half-open connections were ended there; whose they were is only likely, and not even that where others were joined.
fn perhaps_ended(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    if view.observed.alone {
        let sentence = format!(
            "The connection request to {target} most likely arrived there: the far side counted connections that were ended \
             while half-open, so the answers are rejected on the way back to {prober}."
        );
        return known(view, Lost::Reply, Confidence::Likely, sentence).remedy(Who::Network, view.rule_back());
    }
    let sentence = format!(
        "{target} did not answer. Which half was lost is open: the far side counted connections that were ended while \
         half-open, and could not see whose. Check again while nobody else is joined, or let `bothways listen` watch packets."
    );
    Judgement { sentence, ..view.again() }
}

/// Nothing came, below any firewall of the host.
fn never_arrived(view: &View) -> Judgement {
    let target = view.target();
    let doubt = view.doubt();
    let but = if matches!(view.answering, Some(AnsweredBy::Nothing | AnsweredBy::Elsewhere)) {
        " (Besides, nothing listens on that port there.)"
    } else {
        ""
    };
    let confidence = view.proof_of_absence();
    if view.knows_where_it_vanishes() {
        let sentence =
            format!("{} The far side watched its packets and saw none of it.{but}{doubt}", view.outcome.sentence);
        return Judgement { confidence, sentence, ..view.again() };
    }
    let (place, look) = place(view);
    let sentence = format!(
        "The connection request to {target} never arrived: the far side watched its packets and saw none of it, so it is \
         dropped on the way{place}.{but}{doubt}"
    );
    known(view, Lost::Request, confidence, sentence).remedy(Who::Network, format!("{}{look}", view.rule()))
}

/// Where on the way a lost request still was seen, and where to look for the rule.
pub(super) fn place(view: &View) -> (String, String) {
    view.last_hop().map_or_else(Default::default, |hop| {
        let place = format!(", at hop {} ({}) or behind it", hop.ttl, hop.address);
        (place, format!(" Look at {} first: it is the last device that still answers.", hop.address))
    })
}

/// Nothing came through the host's firewall to the service.
fn never_accepted(view: &View) -> Judgement {
    let (target, doubt) = (view.target(), view.doubt());
    let sentence = format!(
        "The connection request to {target} never arrived: the port is open there and saw nothing of it, so it is dropped on \
         the way, or by the firewall of that host itself.{doubt}"
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
