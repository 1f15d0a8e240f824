//! The bounds on those who have joined, in one place; `docs/security.md` lists them for users.

use std::time::Duration;

/// Bounds on turns, and on how long a joined side may hold the channel for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Joined sides that are tested at once. The others wait for their turn: what a probe meets at a machine that is busy with
    /// hundreds of others says nothing of the network.
    pub tested_at_once: usize,
    /// How long a turn lasts at most. Whoever takes longer waits for the network and not for this machine: it goes on, and the
    /// next one begins.
    pub turn_time: Duration,
    /// How long a joined side may wait for its turn. After that it is closed.
    pub turn_wait: Duration,
    /// How long a joined side may ask for nothing, though it is there: the longest run that it may be busy with. After that it
    /// is closed.
    pub asking_nothing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tested_at_once: 8 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            turn_time: Duration::from_secs(3),
            turn_wait: Duration::from_secs(1800),
            asking_nothing: Duration::from_secs(7200),
        }
    }
}
