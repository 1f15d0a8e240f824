//! Between which sizes the limit of a way is: what was answered passes, and what was not is only lost once that is sure.

use std::collections::BTreeMap;

/// Sizes that are tried at the same time.
const AT_ONCE: u16 = 10;
/// What is known of every size that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    works: u16,
    /// The size with which the conversation hung at first.
    full: u16,
    /// How sure it is that these larger sizes are lost.
    hung: BTreeMap<u16, u8>,
}

impl Search {
    /// How sure it must be that a size is lost.
    pub const SURE: u8 = 2;

    /// A search between a size that every way carries and one that may be lost.
    pub fn between(smallest: u16, full: u16) -> Self {
        Self { works: smallest, full, hung: BTreeMap::new() }
    }

    /// The largest size that was answered.
    pub fn works(&self) -> u16 {
        self.works
    }

    /// The smallest size that is surely lost; nothing while all that is known is that answers were late.
    pub fn lost(&self) -> Option<u16> {
        self.hung.iter().find(|(_, sure)| **sure >= Self::SURE).map(|(size, _)| *size)
    }

    /// The sizes to try next: some between what passes and what may be lost, and that again, for a busy server may have been
    /// slow with it, or chance has lost it. None where the limit is found.
    pub fn next(&self) -> Vec<u16> {
        if self.works >= self.full {
            return Vec::new();
        }
        let (hangs, sure) = self.hung.first_key_value().map_or((self.full, 0), |(size, sure)| (*size, *sure));
        let between = hangs - self.works - 1;
        if between == 0 && sure >= Self::SURE {
            return Vec::new();
        }
        let parts = u32::from(AT_ONCE.min(between)) + 1;
        let place = |n: u32| u32::from(self.works) + (u32::from(between) + 1) * n / parts;
        (1..parts).filter_map(|n| u16::try_from(place(n)).ok()).chain([hangs]).collect()
    }

    /// Takes in a size that was answered: it outweighs smaller ones that were not.
    pub fn answered(&mut self, size: u16) {
        self.works = self.works.max(size);
        let works = self.works;
        self.hung.retain(|hung, _| *hung > works);
    }

    /// Takes in a size that was not answered while a smaller one was; how much that says is at most that it is sure.
    pub fn unanswered(&mut self, size: u16, weight: u8) {
        if size > self.works && size <= self.full {
            let sure = self.hung.entry(size).or_default();
            *sure = sure.saturating_add(weight).min(Self::SURE);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALLEST: u16 = 536;

    /// Takes in what a way says that carries `limit` bytes.
    fn learn(search: &mut Search, sizes: &[u16], limit: u16, weight: u8) {
        for size in sizes.iter().filter(|size| **size <= limit) {
            search.answered(*size);
        }
        for size in sizes.iter().filter(|size| **size > limit) {
            search.unanswered(*size, weight);
        }
    }

    proptest! {
        #[test]
        fn every_limit_of_an_ethernet_path_is_found_to_the_byte_in_three_rounds(limit in SMALLEST..1460) {
            let mut search = Search::between(SMALLEST, 1460);
            for _ in 0..3 {
                let sizes = search.next();
                learn(&mut search, &sizes, limit, Search::SURE);
            }
            prop_assert_eq!((search.works(), search.lost()), (limit, Some(limit + 1)));
            prop_assert!(search.next().is_empty());
        }

        #[test]
        fn where_silence_says_little_it_takes_one_round_more(limit in SMALLEST..1460) {
            let mut search = Search::between(SMALLEST, 1460);
            for _ in 0..4 {
                let sizes = search.next();
                learn(&mut search, &sizes, limit, 1);
            }
            prop_assert_eq!((search.works(), search.lost()), (limit, Some(limit + 1)));
        }

        #[test]
        fn the_limit_stays_between(limit in SMALLEST..u16::MAX, heard in 0..12usize) {
            let mut search = Search::between(SMALLEST, u16::MAX);
            let mut sizes = search.next();
            sizes.truncate(heard);
            learn(&mut search, &sizes, limit, 1);
            prop_assert!(search.works() <= limit && search.lost().is_none_or(|lost| limit < lost));
        }

        #[test]
        fn a_server_that_is_late_once_never_makes_a_size_lost(limit in SMALLEST..1460, late in SMALLEST..1460) {
            let mut search = Search::between(SMALLEST, 1460);
            search.unanswered(late, 1);
            for _ in 0..8 {
                let sizes = search.next();
                learn(&mut search, &sizes, limit, 1);
            }
            prop_assert_eq!((search.works(), search.lost()), (limit, Some(limit + 1)));
        }
    }

    #[test]
    fn a_size_that_works_after_all_lets_the_search_go_on_above_it() {
        let mut search = Search::between(536, 1460);
        search.unanswered(1000, Search::SURE);
        search.unanswered(1460, Search::SURE);
        search.answered(900);
        assert_eq!(search.lost(), Some(1000));
        search.answered(1000);
        assert_eq!((search.works(), search.lost()), (1000, Some(1460)));
    }
}
