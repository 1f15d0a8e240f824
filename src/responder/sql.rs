//! The answering half of SQL Server: PRELOGIN and a refusal of the login.

use super::stream::Visit;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub instance: String,
}

pub(super) async fn answer(service: Service, visit: Visit) {
    let _ = (service, visit);
}
