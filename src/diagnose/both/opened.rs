//! Connections that something accepted and that then led nowhere: whether the far side accepted them, and how far what was
//! sent came.
//!
//! Every connection to a responder leaves a receipt, so that none means: it was somebody else who accepted.

use super::ties::Tie;
use super::view::View;
use super::{is_of_tls, passed};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Status, Who};
use crate::model::run::Receipt;
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    if let Some(lost) = passed::greeting_lost(view) {
        return Some(lost);
    }
    if let Some((tie, receipt)) = view.receipt() {
        return received(view, tie, receipt);
    }
    // It was judged so already.
    if view.outcome.code == Code::AcceptedInPath && view.outcome.lost.is_some() {
        return None;
    }
    match view.answering? {
        AnsweredBy::Responder if view.through_proxy() => lost_behind_proxy(view),
        AnsweredBy::Responder if view.trail.arrived() || view.perhaps_received() => {
            let confidence = if view.perhaps_received() { Confidence::Likely } else { view.proof_of_presence() };
            Some(request_lost(
                view,
                confidence,
                "the connection was opened there, but nothing of the request came over it",
            ))
        }
        AnsweredBy::Responder => Some(accepted_in_path(view)),
        AnsweredBy::Service if view.watched(Means::Packets) && !view.trail.arrived() && !view.through_proxy() => {
            Some(accepted_in_path(view))
        }
        _ => None,
    }
}

/// The far side has a receipt: the bytes on both sides tell how far it came.
fn received(view: &View, tie: Tie, receipt: &Receipt) -> Option<Judgement> {
    let wanted = view.number(Fact::RequestBodyWanted).unwrap_or(0);
    let (got, answered) = (receipt.received_bytes, receipt.sent_bytes > 0);
    if got < wanted {
        let what = format!("{got} of {wanted} bytes of the request arrived there");
        return Some(request_lost(view, Confidence::Proven, &what));
    }
    if view.outcome.code == Code::WsFramesLost {
        return (tie == Tie::Token && !view.holds(Fact::Pong)).then(|| frames_lost(view));
    }
    let less_came = view.number(Fact::ReceivedBytes).is_none_or(|came| came < receipt.sent_bytes);
    match (tie, got) {
        (Tie::Token, _) if answered => Some(reply_lost(view, receipt, Confidence::Proven)),
        (Tie::Token, _) => Some(reply_lost(view, receipt, Confidence::Likely)),
        (Tie::Source, 0) if view.number(Fact::SentBytes).is_some_and(|sent| sent > 0) => {
            let what = "the connection was opened there, but nothing of the request came over it";
            Some(request_lost(view, Confidence::Proven, what))
        }
        (Tie::Source, _) if !carries_token(view) && answered && less_came => {
            Some(reply_lost(view, receipt, if got > 0 { Confidence::Proven } else { Confidence::Likely }))
        }
        (Tie::Source, 1..) if carries_token(view) => Some(request_lost(
            view,
            Confidence::Likely,
            "what came over the connection there was not the request as it was sent",
        )),
        _ => None,
    }
}

/// The upgrade arrived and its answer came back; of what followed, the far side keeps a receipt of its own.
fn frames_lost(view: &View) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let (lost, what) = if view.frame_received() {
        (
            Lost::Reply,
            format!(
                "what was sent over it arrived there, but nothing that the far side sent after that came back to {prober}"
            ),
        )
    } else {
        (Lost::Request, "nothing that was sent over it from here arrived there".to_owned())
    };
    let sentence = format!(
        "The WebSocket to {target} was opened, but then {what}: a device on the way lets the upgrade through and not the frames."
    );
    Judgement { sentence, confidence: Confidence::Proven, ..view.again() }.lost(lost)
}

/// Whether the first thing that this probe sends carries its token; a TLS handshake does not.
fn carries_token(view: &View) -> bool {
    view.text(Fact::Token).is_some() && !is_of_tls(view.outcome.code)
}

fn reply_lost(view: &View, receipt: &Receipt, confidence: Confidence) -> Judgement {
    let (target, prober) = (view.target(), view.prober);
    let sentence = match receipt.sent_bytes {
        0 => format!(
            "The request to {target} arrived there whole; what came of it was lost on the way back to {prober}."
        ),
        bytes => format!(
            "The request to {target} arrived there and was answered with {bytes} bytes, but the answer was lost on the way back \
             to {prober}."
        ),
    };
    Judgement { confidence, sentence, ..view.again() }.lost(Lost::Reply).remedy(
        Who::Network,
        format!(
            "Look for a device on the way that inspects, cuts or limits answers, and exempt the flow. {}",
            view.rule_back()
        ),
    )
}

fn request_lost(view: &View, confidence: Confidence, what: &str) -> Judgement {
    let sentence = format!("The request to {} was lost on the way there: {what}.", view.target());
    Judgement { confidence, sentence, ..view.again() }.lost(Lost::Request).remedy(
        Who::Network,
        format!(
            "{} Exempt the flow from devices on the way that inspect what is sent, or limit its size.",
            view.rule()
        ),
    )
}

/// The proxy took the request and the far side never got it.
fn lost_behind_proxy(view: &View) -> Option<Judgement> {
    let proxy = view.text(Fact::Proxy)?;
    carries_token(view).then(|| {
        let what = format!("the proxy {proxy} took it, but it did not come out there");
        let lost = request_lost(view, Confidence::Likely, &what);
        // What one side alone could not call a failure is one: a responder is there, and it was not asked.
        let status = if lost.status == Status::Unknown { Status::Fail } else { lost.status };
        Judgement { status, ..lost }
            .remedy(Who::Network, format!("Let the proxy {proxy} connect to {}. {}", view.target(), view.rule()))
    })
}

fn accepted_in_path(view: &View) -> Judgement {
    // Whoever comes from an address that is not of the run is closed or reset by a responder, without a receipt.
    let closes = matches!(
        view.outcome.code,
        Code::ClosedAfterConnect | Code::ResetAfterConnect | Code::ResetOnPayload | Code::TlsReset
    );
    let confidence = if closes && !view.watched(Means::Packets) { Confidence::Likely } else { view.proof_of_absence() };
    passed::by_somebody_else(view, confidence)
}
