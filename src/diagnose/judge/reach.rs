//! What a conversation that stopped at the reach stage means.

use super::{Case, proxy, unforeseen};
use crate::model::evidence::Failure;
use crate::model::finding::Judgement;

pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    if case.ask.proxy().is_some() {
        return proxy::unreachable(case, failure);
    }
    unforeseen(case)
}
