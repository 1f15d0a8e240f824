//! Which further looks would decide a judgement; pure. The engine takes them while the check still has time, and judges again.

use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::finding::{Judgement, Status};
use crate::model::look::Look;

/// The looks that can tell more about a conversation that was judged so.
#[must_use]
pub fn wanted(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if !matches!(judgement.status, Status::Fail | Status::Unknown | Status::Warn) || case.address.is_none() {
        return Vec::new();
    }
    match judgement.code {
        Code::Dropped | Code::Refused | Code::Rejected | Code::Unreachable | Code::RefusedInPath => vec![Look::Path],
        _ => Vec::new(),
    }
}
