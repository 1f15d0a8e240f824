//! The answering half of HTTP(S) requests, and WebSocket upgrades on the same port.

use super::stream::Visit;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub https: bool,
}

pub(super) async fn answer(service: Service, visit: Visit) {
    let _ = (service, visit);
}
