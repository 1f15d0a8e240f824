//! What a conversation that stopped at the proxy stage means.

use super::{Case, unforeseen};
use crate::model::evidence::Failure;
use crate::model::finding::Judgement;

pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    let _ = failure;
    unforeseen(case)
}

/// What it means that the proxy itself can't be connected to.
pub(super) fn unreachable(case: &Case, failure: Failure) -> Judgement {
    judge(case, failure)
}
