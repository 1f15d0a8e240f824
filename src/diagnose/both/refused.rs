//! Refusals, of connections and of datagrams: the host's own, or those of a firewall in its place.

use super::view::View;
use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::sighting::{AnsweredBy, Means};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    let trail = &view.trail;
    match view.answering? {
        AnsweredBy::Nothing => Some(nothing_listens(view)),
        // It took what was sent: whatever refused did so beside it, or in another attempt.
        _ if trail.half_open || view.receipt().is_some() || view.perhaps_received() => None,
        _ if trail.request_in && trail.reply_out => Some(by_the_host(view)),
        _ => Some(in_path(view)),
    }
}

fn nothing_listens(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!("{target} refused, and the far side says that nothing listens on that port there.");
    Judgement { confidence: Confidence::Proven, sentence, ..view.again() }
        .remedy(Who::TargetHost, format!("Start the service on {target}, or correct the port in the profile."))
}

/// The request was seen at the host and a refusal leaving it, while the service is there: the host's own firewall.
fn by_the_host(view: &View) -> Judgement {
    let target = view.target();
    let sentence = format!(
        "The firewall of {target} itself refused: the request arrived at that host and was answered by it, but never came to \
         what listens there."
    );
    Judgement { confidence: view.proof_of_presence(), sentence, ..view.again() }
        .lost(Lost::Request)
        .remedy(Who::TargetHost, format!("{} The rule is missing in the firewall of that host itself.", view.rule()))
}

fn in_path(view: &View) -> Judgement {
    let target = view.target();
    let place = match (view.watched(Means::Packets), view.trail.request_in) {
        (true, true) => "The request arrived there too, so a device on the way refuses beside it",
        (true, false) => "None of its packets arrived there, so the firewall is on the way",
        (false, _) => "The firewall is on the way, or that host's own",
    };
    let sentence = format!(
        "A firewall refused in the place of {target}: the port is open there, and what listens saw nothing of the request. \
         {place}."
    );
    Judgement::fail(Code::RefusedInPath, view.proof_of_absence(), sentence)
        .lost(Lost::Request)
        .remedy(Who::Network, view.rule())
}
