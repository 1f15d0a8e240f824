//! What the evidence of WebSocket upgrades (RFC 6455) means, once the connection, proxy and TLS stages are passed.

use super::Case;
use crate::model::finding::Judgement;

pub(super) fn judge(case: &Case) -> Judgement {
    Judgement::pass(format!("{} answered", case.ask.target()))
}
