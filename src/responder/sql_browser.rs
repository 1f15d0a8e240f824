//! The answering half of SQL Server Browser (MC-SQLR).

use super::datagram::Letter;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub server: String,
    pub instances: Vec<(String, u16)>,
}

pub(super) async fn answer(service: Service, letter: Letter) {
    let _ = (service, letter);
}
