//! Flows to a listener that could not be joined: its responders close the connections of all who have not, so that a close
//! from there says nothing of the flow.

use crate::model::code::Code;
use crate::model::finding::{Confidence, Status};
use crate::model::run::Outcome;

/// Takes back what was made of closes that may be those of the listener's own responders, on these hosts.
pub fn withhold(outcomes: &mut [Outcome], hosts: &[String]) {
    for outcome in outcomes.iter_mut().filter(|outcome| closed_by_host(outcome, hosts)) {
        // Whether it is a close or a reset depends on the moment.
        outcome.code = Code::ClosedAfterConnect;
        outcome.status = Status::Unknown;
        outcome.confidence = Confidence::Possible;
        outcome.lost = None;
        outcome.remedy = None;
        outcome.sentence = format!(
            "{} accepted the connection and closed it. `bothways listen` there does so with everybody who has not joined it, and \
             this side could not; so this tells nothing of the flow but that the port is reached.",
            outcome.target.as_deref().unwrap_or(&outcome.endpoint)
        );
    }
}

fn closed_by_host(outcome: &Outcome, hosts: &[String]) -> bool {
    let closed = matches!(
        outcome.code,
        Code::ClosedAfterConnect | Code::ResetAfterConnect | Code::ResetOnPayload | Code::TlsReset | Code::TlsDropped
    );
    let of_listener = outcome.host().is_some_and(|host| hosts.iter().any(|known| known.eq_ignore_ascii_case(host)));
    closed && of_listener && matches!(outcome.status, Status::Fail | Status::Warn)
}
