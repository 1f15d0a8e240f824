//! Judging with the evidence of both sides: what the far side saw of a probe decides which half of a conversation was lost,
//! who answered in the target's place, and what was changed on the way.
//!
//! Absence is evidence only where it was looked for: a side that did not watch can't have missed anything. Pure; the judging
//! from one side alone stays in [`super::judge`], and how the evidence gets here is the control channel's or `merge`'s.

mod certificate;
mod changes;
mod dropped;
mod near;
mod opened;
mod passed;
mod ports;
mod refused;
pub mod sides;
mod silence;
mod ties;
mod trail;
mod union;
mod view;

use std::net::IpAddr;

use super::expected;
use super::judge::{compared_again, withdraw};
use crate::model::code::{Code, Group};
use crate::model::finding::{Judgement, Lost, Status};
use crate::model::flow::Transport;
use crate::model::run::Outcome;
use crate::model::sighting::Sightings;
use view::View;

pub use ties::attach;
pub use union::union;

/// How the far side knew the prober during the run, and what the prober's own machine saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed<'a> {
    /// The prober's address as the far side sees it.
    pub prober: IpAddr,
    /// Nobody else was joined during the run, so that what the far side's counters tell is the prober's.
    pub alone: bool,
    /// SHA-256 of the certificate that the far side's responders present, in hexadecimal.
    pub certificate: Option<String>,
    /// The run was asked for on the far side: what its profile says of a flow is what is to be tested.
    pub governs: bool,
    /// What the prober's own machine saw, of its own packets among others.
    pub near: Option<&'a Sightings>,
}

/// Judges an outcome again, with what the machine that its flow goes to saw of it.
///
/// A pass can turn into a failure here, where the far side proves that somebody else answered; nothing turns into a pass.
///
/// What is expected of a flow is weighed last: a flow that must be blocked is first judged like any other.
pub fn with_far_side(outcome: &mut Outcome, far: &Sightings, observed: &Observed) {
    expected::restore(outcome);
    look_again(outcome, far, observed);
    expected::judge(outcome);
}

fn look_again(outcome: &mut Outcome, far: &Sightings, observed: &Observed) {
    ties::attach(outcome, &far.receipts);
    if matches!(outcome.status, Status::Skip | Status::Error) {
        return;
    }
    if View::of(outcome, far, observed).responder() {
        withdraw(outcome);
    }
    let view = View::of(outcome, far, observed);
    let (facts, judgement) = (changes::facts(&view), judge(&view));
    let rejected_by = view.trail.reply_rejected_by;
    outcome.facts.extend(facts.into_iter().map(|(fact, value)| (fact.word().to_owned(), value)));
    if let Some(judgement) = judgement {
        // One that only adds to what was known has the comparison already.
        let adds = judgement.sentence.starts_with(&outcome.sentence);
        let judgement = if adds { judgement } else { compared_again(outcome, judgement) };
        if judgement.lost == Some(Lost::Reply) {
            outcome.path.rejected_by = outcome.path.rejected_by.or(rejected_by);
        }
        apply(outcome, judgement);
    }
}

fn judge(view: &View) -> Option<Judgement> {
    if let Some(foreign) = ports::foreign(view) {
        return Some(foreign);
    }
    let judgement = with_evidence(view);
    let before = view.again();
    let after = ports::remark(view, judgement.clone().unwrap_or_else(|| before.clone()));
    if after == before { judgement } else { Some(after) }
}

fn with_evidence(view: &View) -> Option<Judgement> {
    if let Some(intercepted) = certificate::judge(view) {
        return Some(intercepted);
    }
    match view.outcome.status {
        Status::Pass => passed::judge(view),
        // Several addresses, of which some work: the far side has no say in which of them is meant.
        Status::Warn if view.several_addresses() => None,
        Status::Warn => matches!(view.outcome.code, Code::Silent | Code::AcceptedInPath | Code::ClosedAfterConnect)
            .then(|| opened::judge(view))
            .flatten(),
        _ => by_code(view),
    }
}

/// A failure, or what could not be told.
fn by_code(view: &View) -> Option<Judgement> {
    let udp = view.outcome.transport == Transport::Udp;
    match view.outcome.code {
        Code::NoAnswer | Code::SqlBrowserSilent => silence::judge(view),
        Code::Dropped if udp => silence::judge(view),
        Code::Dropped => dropped::judge(view),
        // An ICMP message quotes what it rejects: the request. Datagrams are refused by such a message of the host itself.
        Code::Refused if udp => refused::judge(view),
        Code::Unreachable if near::rejected_at_once(view) => near::refusal(view).or_else(|| request(view)),
        Code::Rejected | Code::Unreachable | Code::Refused | Code::LocalBlock | Code::SqlInstancePortBlocked
            if view.outcome.path.rejected_by.is_some() =>
        {
            request(view)
        }
        Code::Refused => refused::judge(view),
        Code::RefusedInPath => refused::in_path(view),
        Code::SqlInstancePortBlocked if view.was_refused() => refused::judge(view),
        Code::SqlInstancePortBlocked if view.timed_out() => dropped::judge(view),
        Code::LocalBlock if near::did_leave(view) && udp => silence::judge(view),
        Code::LocalBlock if view.was_refused() && near::did_leave(view) => refused::judge(view),
        Code::LocalBlock if view.was_refused() => near::refusal(view).or_else(|| request(view)),
        Code::LocalBlock if near::did_leave(view) => dropped::judge(view),
        Code::LocalBlock => near::silence(view).or_else(|| request(view)),
        Code::Rejected => request(view),
        Code::WsUpgradeStripped | Code::WsRefused if view.receipt().is_some() => changes::upgrade(view),
        Code::WsUpgradeStripped | Code::WsRefused => opened::judge(view),
        code if is_of_open_connection(code) => opened::judge(view),
        _ => None,
    }
}

/// Codes of conversations that ended, or went wrong, on a connection that something had accepted.
fn is_of_open_connection(code: Code) -> bool {
    matches!(
        code,
        Code::Silent
            | Code::ClosedAfterConnect
            | Code::ResetAfterConnect
            | Code::ResetOnPayload
            | Code::WrongService
            | Code::TlsDropped
            | Code::TlsReset
            | Code::TlsNotSpoken
            | Code::HttpStalled
            | Code::HttpSizeLimited
            | Code::WsFramesLost
            | Code::SqlNotTds
            | Code::AcceptedInPath
    )
}

/// Nothing more is known than that it was the request.
fn request(view: &View) -> Option<Judgement> {
    let untold = view.outcome.lost.is_none();
    untold.then(|| view.again().lost(Lost::Request))
}

fn apply(outcome: &mut Outcome, judgement: Judgement) {
    outcome.status = judgement.status;
    outcome.code = judgement.code;
    outcome.lost = judgement.lost;
    outcome.confidence = judgement.confidence;
    outcome.sentence = judgement.sentence;
    outcome.remedy = judgement.remedy;
}

/// Whether a conversation got as far as TLS and no further.
fn is_of_tls(code: Code) -> bool {
    code.group() == Group::Tls
}
