//! The answering half of TFTP reads.

use super::datagram::Letter;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub file: Option<String>,
}

pub(super) async fn answer(service: Service, letter: Letter) {
    let _ = (service, letter);
}
