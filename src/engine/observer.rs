//! What the runner tells whoever watches it.

use crate::model::finding::Status;

/// Watches a run; called from several tasks at once.
pub trait Observer: Send + Sync {
    /// A check has begun.
    fn begun(&self, check: &str, target: &str);
    /// A check has ended.
    fn ended(&self, check: &str, target: &str, status: Status);
}
