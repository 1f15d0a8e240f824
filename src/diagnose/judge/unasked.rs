//! Connections that are closed or reset: as they are taken, or because of what was sent over them.
//!
//! What is sent crosses with the end of the connection, so that the conversation alone does not tell. Another connection, over
//! which nothing is said, does.

use super::Case;
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

/// The same judgement, or that connections are ended whatever is said over them.
pub(super) fn told(case: &Case, judgement: Judgement) -> Judgement {
    let of_request =
        matches!(judgement.code, Code::ClosedAfterConnect | Code::ResetAfterConnect | Code::ResetOnPayload);
    let ended = case.evidence.fact(Fact::EndsUnasked).and_then(|ended| serde_json::from_value(ended.clone()).ok());
    let (code, how) = match ended {
        Some(Failure::Closed) if of_request => (Code::ClosedAfterConnect, "closes"),
        Some(Failure::Reset) if of_request => (Code::ResetAfterConnect, "resets"),
        _ => return judgement,
    };
    let (target, host) = (case.target(), &case.ask.host);
    let sentence = format!(
        "{target} accepts connections and {how} them at once, also where nothing is said: the service there does not want this \
         machine or can't serve it, or a device on the way ends them."
    );
    Judgement::fail(code, Confidence::Likely, sentence).remedy(
        Who::TargetHost,
        format!(
            "Look into the log of the service on {host}: it may serve only certain addresses, or what is behind it may be down. If \
             it saw no connection, a device on the way ends them: {}",
            case.exact_rule()
        ),
    )
}
