//! Datagrams that were not answered. From one side such silence proves nothing; the far side's receipts decide it.

use super::view::View;
use super::{dropped, near};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::finding::{Confidence, Judgement, Lost, Remedy, Who};
use crate::model::probe::Protocol;
use crate::model::run::Receipt;
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    let trail = &view.trail;
    if let Some(own) = near::silence(view) {
        return Some(own);
    }
    if let Some((_, receipt)) = view.receipt() {
        return Some(received(view, receipt));
    }
    if trail.request_in && trail.reply_out {
        return Some(on_its_way_back(view, view.proof_of_presence()));
    }
    if trail.request_in && trail.no_way_back {
        return Some(dropped::without_way_back(view));
    }
    if trail.request_in && trail.reply_refused && !trail.refusal_out && view.watched(Means::Packets) {
        return Some(kept_back(view));
    }
    if trail.request_in && trail.refusal_out {
        return Some(refusal_lost(view));
    }
    if view.perhaps_received() {
        return Some(reply_lost(view, Confidence::Likely));
    }
    match (view.answering?, view.watched(Means::Packets)) {
        (AnsweredBy::Responder, true) if trail.request_in => Some(stopped_at_host(view)),
        (_, true) if !trail.request_in => Some(request_lost(view, true)),
        (AnsweredBy::Responder, _) if view.unreceipted() => Some(undecided(
            view,
            "more came there than it kept receipts of",
            "Start `bothways listen` there anew, with fewer sides joined at once, and check again.",
        )),
        (AnsweredBy::Responder, _) => Some(request_lost(view, false)),
        (AnsweredBy::Service, true) => Some(unanswered_by_service(view)),
        (AnsweredBy::Service, false) => Some(undecided(
            view,
            "a service of its own holds the port there, so that there are no receipts, and the far side could not watch \
             packets",
            "Run `bothways listen` there with the right to watch packets, or while that service is stopped.",
        )),
        (AnsweredBy::Nothing | AnsweredBy::Elsewhere, _) => Some(undecided(
            view,
            "nothing answers on that port there: `bothways listen` could not open it",
            "Start the service there, or let `bothways listen` open the port, and check again.",
        )),
    }
}

fn received(view: &View, receipt: &Receipt) -> Judgement {
    if let Some(failure) = receipt.unsent {
        return unsent(view, failure);
    }
    if receipt.sent_bytes == 0 {
        let target = view.target();
        let asked = receipt.asked.as_deref().map_or_else(String::new, |asked| format!(" ({asked})"));
        let sentence = format!(
            "The request to {target} arrived there, so the way there is open; the responder had no answer to it{asked}."
        );
        return Judgement { sentence, ..view.again() };
    }
    if view.watched(Means::Packets) && view.trail.request_in && !view.trail.reply_out {
        return kept_back(view);
    }
    on_its_way_back(view, Confidence::Proven)
}

fn reply_lost(view: &View, confidence: Confidence) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let arrived = format!("The request to {target} arrived there and was answered");
    let code = view.code_of_silence(Lost::Reply);
    if view.protocol() == Some(Protocol::Tftp) {
        let sentence = format!(
            "{arrived}, but the answer, which comes from another port as TFTP has it, was lost on the way back to {prober}."
        );
        return Judgement::fail(code, confidence, sentence).lost(Lost::Reply).remedy(
            Who::Network,
            format!(
                "Let the answers pass on their way back: turn on the firewall's TFTP helper (also called ALG or inspection), or \
                 allow UDP from every port of {} ({target}) to {prober} ({}).",
                view.outcome.to, view.outcome.from
            ),
        );
    }
    let sentence = format!("{arrived}, but the answer was lost on the way back to {prober}.");
    Judgement::fail(code, confidence, sentence).lost(Lost::Reply).remedy(Who::Network, view.rule_back())
}

/// The answer left that host; where an ICMP message came about it, that says who turned it away.
fn on_its_way_back(view: &View, confidence: Confidence) -> Judgement {
    let lost = reply_lost(view, confidence);
    let by = view.trail.reply_rejected_by.and_then(|icmp| icmp.from);
    let (target, prober) = (view.target(), view.prober);
    match by {
        Some(from) if view.is_probers_own(from) => {
            let sentence = format!(
                "The request to {target} arrived there and was answered, but {prober} itself rejected the answer: its own \
                 firewall does not let it in."
            );
            Judgement { sentence, remedy: lost.remedy.map(|remedy| Remedy { who: Who::ThisHost, ..remedy }), ..lost }
        }
        Some(from) => {
            let sentence = format!(
                "The request to {target} arrived there and was answered, but {from} rejected the answer on its way back to \
                 {prober}."
            );
            Judgement { sentence, ..lost }
        }
        None => lost,
    }
}

/// The host refused the datagram, and not even that came back.
fn refusal_lost(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let sentence = format!(
        "The request to {target} arrived at that host, which refused it; the refusal was lost on the way back to {prober}, so \
         answers would be too."
    );
    Judgement { sentence, ..reply_lost(view, view.proof_of_presence()) }
}

/// The answer did not even get out of the host.
fn unsent(view: &View, failure: Failure) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let routeless = matches!(failure, Failure::NetworkUnreachable | Failure::HostUnreachable);
    let (why, remedy) = if routeless {
        ("it has no route back", format!("Set a route from {target} back to {prober}."))
    } else {
        ("its own outgoing firewall forbids it", rule_out(view))
    };
    let sentence = format!("The request to {target} arrived there, but no answer left that host: {why}.");
    Judgement { sentence, ..reply_lost(view, Confidence::Proven) }.remedy(Who::TargetHost, remedy)
}

fn rule_out(view: &View) -> String {
    format!(
        "In the firewall of {} itself, let the UDP answers out to {}, also from other ports than the one asked.",
        view.target(),
        view.prober
    )
}

/// What listens there answered, and nothing left the host.
fn kept_back(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "The request to {target} arrived there and was answered, but no answer left that host: its own outgoing firewall drops it."
    );
    Judgement { sentence, ..reply_lost(view, Confidence::Proven) }.remedy(Who::TargetHost, rule_out(view))
}

fn stopped_at_host(view: &View) -> Judgement {
    let sentence = format!("The request to {} arrived at that host, but its own firewall dropped it.", view.target());
    Judgement::fail(Code::Dropped, view.proof_of_presence(), sentence)
        .lost(Lost::Request)
        .remedy(Who::TargetHost, format!("{} The rule is missing in the firewall of that host itself.", view.rule()))
}

fn request_lost(view: &View, packets: bool) -> Judgement {
    let target = view.target();
    let code = view.code_of_silence(Lost::Request);
    let (confidence, doubt) = (view.proof_of_absence(), view.doubt());
    if packets && view.knows_where_it_vanishes() {
        let sentence = format!("{} The far side watched its packets and saw none of it.{doubt}", view.outcome.sentence);
        return Judgement { code, confidence, sentence, ..view.again() };
    }
    let (place, look) = dropped::place(view);
    let (sentence, more) = if packets {
        let sentence = format!(
            "The request to {target} never arrived: the far side watched its packets and saw none of it, so it is dropped on \
             the way{place}.{doubt}"
        );
        (sentence, "")
    } else {
        let sentence = format!(
            "The request to {target} never arrived: a responder is open there and received nothing, so it is dropped on the \
             way{place}, or by the firewall of that host itself.{doubt}"
        );
        (sentence, " Look at the firewall of the host itself too.")
    };
    Judgement::fail(code, confidence, sentence)
        .lost(Lost::Request)
        .remedy(Who::Network, format!("{}{look}{more}", view.rule()))
}

fn unanswered_by_service(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "The request to {target} arrived at that host, so the way there is open, but no answer left it: the service there does \
         not answer this request, or the host's own firewall drops it."
    );
    Judgement { sentence, ..view.again() }.remedy(
        Who::TargetHost,
        format!(
            "Look into the log of the service on {target}, and at the firewall of that host itself. {}",
            view.rule()
        ),
    )
}

/// The far side can't tell either; it says why.
fn undecided(view: &View, why: &str, remedy: &str) -> Judgement {
    let sentence = format!("{} did not answer, and the far side can't tell which half was lost: {why}.", view.target());
    Judgement { sentence, ..view.again() }.remedy(Who::TargetHost, format!("{remedy} {}", view.rule()))
}
