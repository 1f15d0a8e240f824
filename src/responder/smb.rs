//! The answering half of SMB2: NEGOTIATE and a refusal of the session.

use super::stream::Visit;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {}

pub(super) async fn answer(service: Service, visit: Visit) {
    let _ = (service, visit);
}
