//! Putting a file's blocks in order: which block is new, which is a repeat, and when to acknowledge (RFC 1350, 7440).
//!
//! Pure: no I/O, no clock. Repeats are never answered at once, so that no two acknowledgements of one block can set off
//! the doubling known as the sorcerer's apprentice; a lost acknowledgement is repeated by the caller's timer.

/// The receiving end of one transfer.
#[derive(Debug)]
pub(super) struct Window {
    block_size: usize,
    /// Blocks between acknowledgements.
    size: u16,
    /// The last block that arrived in order; its number wraps around.
    last: u16,
    unacknowledged: u16,
    /// Whether a gap after `last` was reported already.
    gap_told: bool,
    bytes: u64,
    repeats: u64,
}

/// What to do about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It is the next one; more may come before an acknowledgement is due.
    Progress,
    /// It is the next one, and an acknowledgement is due.
    Acknowledge(u16),
    /// It was the last one of the file.
    Complete(u16),
    /// Blocks before it are missing: the server is to go on after this one.
    GoBack(u16),
    /// It is a repeat, or after a gap that the server knows of.
    Ignore,
    /// It is larger than the block size agreed.
    TooLarge,
}

impl Window {
    /// `block_size` and `size` are at least 1.
    pub fn new(block_size: u16, size: u16) -> Self {
        Self {
            block_size: usize::from(block_size),
            size,
            last: 0,
            unacknowledged: 0,
            gap_told: false,
            bytes: 0,
            repeats: 0,
        }
    }

    /// Takes one block that carries `length` bytes.
    pub fn take(&mut self, block: u16, length: usize) -> Reaction {
        if length > self.block_size {
            return Reaction::TooLarge;
        }
        let expected = self.last.wrapping_add(1);
        // Some servers count on from 1 after 65 535; only without windows is that told from a lost block 0.
        let follows = block == expected || (expected == 0 && block == 1 && self.size == 1);
        if !follows {
            return self.out_of_order(block.wrapping_sub(expected));
        }
        self.last = block;
        self.gap_told = false;
        self.bytes += length as u64;
        self.unacknowledged += 1;
        if length < self.block_size {
            return Reaction::Complete(block);
        }
        if self.unacknowledged < self.size {
            return Reaction::Progress;
        }
        self.unacknowledged = 0;
        Reaction::Acknowledge(block)
    }

    /// Counts a packet that had arrived before.
    pub fn repeated(&mut self) {
        self.repeats += 1;
    }

    fn out_of_order(&mut self, ahead: u16) -> Reaction {
        if ahead > u16::MAX / 2 {
            self.repeats += 1;
            return Reaction::Ignore;
        }
        if self.gap_told {
            return Reaction::Ignore;
        }
        self.gap_told = true;
        self.unacknowledged = 0;
        Reaction::GoBack(self.last)
    }

    /// The block to acknowledge again when nothing moves.
    pub fn last(&mut self) -> u16 {
        self.unacknowledged = 0;
        self.gap_told = false;
        self.last
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn repeats(&self) -> u64 {
        self.repeats
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_windows_every_block_is_acknowledged() {
        let mut window = Window::new(512, 1);
        assert_eq!(window.take(1, 512), Reaction::Acknowledge(1));
        assert_eq!(window.take(2, 511), Reaction::Complete(2));
        assert_eq!(window.bytes(), 1023);
    }

    #[test]
    fn an_empty_first_block_is_an_empty_file() {
        let mut window = Window::new(512, 1);
        assert_eq!(window.take(1, 0), Reaction::Complete(1));
        assert_eq!(window.bytes(), 0);
    }

    #[test]
    fn a_repeated_block_is_counted_and_not_answered() {
        let mut window = Window::new(512, 1);
        window.take(1, 512);
        assert_eq!(window.take(1, 512), Reaction::Ignore);
        assert_eq!((window.repeats(), window.bytes()), (1, 512));
    }

    #[test]
    fn a_window_is_acknowledged_once_at_its_end() {
        let mut window = Window::new(8, 3);
        assert_eq!(window.take(1, 8), Reaction::Progress);
        assert_eq!(window.take(2, 8), Reaction::Progress);
        assert_eq!(window.take(3, 8), Reaction::Acknowledge(3));
    }

    #[test]
    fn a_gap_is_reported_once() {
        let mut window = Window::new(8, 4);
        window.take(1, 8);
        assert_eq!(window.take(3, 8), Reaction::GoBack(1));
        assert_eq!(window.take(4, 8), Reaction::Ignore);
        assert_eq!(window.take(2, 8), Reaction::Progress);
    }

    #[test]
    fn a_block_larger_than_agreed_is_refused() {
        assert_eq!(Window::new(512, 1).take(1, 513), Reaction::TooLarge);
    }

    #[test]
    fn block_numbers_wrap_to_zero_and_with_some_servers_to_one() {
        for next in [0, 1] {
            let mut window = Window::new(8, 1);
            (1..=u16::MAX).for_each(|block| assert_eq!(window.take(block, 8), Reaction::Acknowledge(block)));
            assert_eq!(window.take(next, 8), Reaction::Acknowledge(next));
            assert_eq!(window.take(next + 1, 3), Reaction::Complete(next + 1));
            assert_eq!(window.bytes(), 65_536 * 8 + 3);
        }
    }

    proptest! {
        #[test]
        fn blocks_in_any_order_with_any_repeats_never_count_twice(
            order in prop::collection::vec(1u16..20, 0..200),
            size in 1u16..6,
        ) {
            let mut window = Window::new(8, size);
            for block in order {
                window.take(block, 8);
            }
            prop_assert_eq!(window.bytes(), u64::from(window.last()) * 8);
        }
    }
}
