//! When something was overlooked last: what was seen since then is all there was.

use std::time::Instant;

/// Something that is counted because it was overlooked.
#[derive(Debug, Default)]
pub(super) struct Lapse {
    count: u64,
    /// When it was noticed that more was.
    noticed: Option<Instant>,
}

impl Lapse {
    /// Of which so many were overlooked already, which does not matter.
    pub(super) fn after(count: u64) -> Self {
        Self { count, noticed: None }
    }

    /// So many were overlooked by now.
    pub(super) fn note(&mut self, count: u64) {
        if count > self.count {
            (self.count, self.noticed) = (count, Some(Instant::now()));
        }
    }

    pub(super) fn since(&self, since: Instant) -> bool {
        self.noticed.is_some_and(|noticed| noticed >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_overlooked_before_does_not_matter() {
        let (before, mut lapse) = (Instant::now(), Lapse::after(7));
        lapse.note(7);
        assert!(!lapse.since(before), "nothing more");
        lapse.note(8);
        assert!(lapse.since(before));
        let noticed = lapse.noticed.expect("noticed");
        assert!(!lapse.since(noticed + std::time::Duration::from_nanos(1)));
    }
}
