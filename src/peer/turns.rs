//! Turns: of many that have joined, some are tested at once and the others after them, so that none is judged by how busy
//! this machine is with the others.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many turns at once.
#[derive(Debug)]
pub struct Turns {
    at_once: usize,
    free: Semaphore,
    line: Mutex<Line>,
}

/// Those that wait, by their numbers.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: BTreeSet<u64>,
}

/// Somebody in the line, until this is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    turns: &'a Turns,
    number: u64,
}

/// A turn, until it is dropped.
pub(super) type Turn<'a> = SemaphorePermit<'a>;

impl Turns {
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self { at_once, free: Semaphore::new(at_once), line: Mutex::default() }
    }

    /// Lines up behind those that are there.
    pub(super) fn line_up(&self) -> Waiting<'_> {
        let mut line = self.line();
        let number = line.next;
        line.next += 1;
        line.waiting.insert(number);
        Waiting { turns: self, number }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Waiting<'a> {
    /// How many have their turn now, or before this one.
    pub(super) fn before(&self) -> usize {
        let having = self.turns.at_once.saturating_sub(self.turns.free.available_permits());
        having + self.turns.line().waiting.range(..self.number).count()
    }

    /// Waits until it is this one's turn.
    pub(super) async fn turn(&self) -> Option<Turn<'a>> {
        // They are never closed.
        self.turns.free.acquire().await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turns.line().waiting.remove(&self.number);
    }
}
