//! Counters of half-open connections in `/proc/net/netstat` (SNMP counters, kernel documentation), without privileges.
//!
//! `EmbryonicRsts` counts resets that ended a half-open connection. An ICMP message that ends one has no counter of its
//! own: it counts as a dropped request (`ListenDrops`), as do requests that the listener's full queues turned away, which
//! are counted once more (`ListenOverflows`, `TCPReqQFullDrop`) and so can be taken off. `AttemptFails` of `snmp` is of
//! no use here: this side's own refused connects raise it too.

use std::fs::File;
use std::io::{Read, Seek};

use crate::sys::Counts;

/// The counters of the network namespace in which they were opened.
pub struct Counters {
    file: File,
}

impl Counters {
    /// Nothing where the system does not count.
    #[must_use]
    pub fn open() -> Option<Self> {
        let mut counters = Self { file: File::open("/proc/thread-self/net/netstat").ok()? };
        counters.read().map(|_| counters)
    }

    /// What they are now.
    pub fn read(&mut self) -> Option<Counts> {
        self.file.rewind().ok()?;
        let mut text = String::new();
        self.file.read_to_string(&mut text).ok()?;
        counts(&text)
    }
}

/// One counter by its name. Lines come in pairs with the same first word: names, then numbers.
fn count(text: &str, wanted: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let mut pairs = names.split(' ').zip(numbers.split(' '));
    pairs.find_map(|(name, number)| if name == wanted { number.parse::<u64>().ok() } else { None })
}

fn counts(text: &str) -> Option<Counts> {
    let count = |wanted| count(text, wanted);
    // What an older kernel does not count it counts as none.
    let count_or_none = |wanted| count(wanted).unwrap_or(0);
    let turned_away = count("ListenOverflows")? + count_or_none("TCPReqQFullDrop");
    Some(Counts {
        ended: count("EmbryonicRsts")? + count("ListenDrops")?.saturating_sub(turned_away),
        untabled: turned_away + count_or_none("SyncookiesSent"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_full_queues_turned_away_did_not_end_half_open() {
        let names = "TcpExt: SyncookiesSent EmbryonicRsts ListenOverflows ListenDrops TCPReqQFullDrop";
        let text = format!("{names}\nTcpExt: 4 2 10 15 2\nIpExt: InNoRoutes\nIpExt: 7\n");
        assert_eq!(counts(&text), Some(Counts { ended: 2 + 3, untabled: 10 + 2 + 4 }));
    }

    #[test]
    fn a_file_without_the_counters_counts_nothing() {
        for text in ["", "TcpExt: EmbryonicRsts\n", "TcpExt: EmbryonicRsts\nTcpExt: 1\n", "TcpExt: \nTcpExt: x\n"] {
            assert_eq!(counts(text), None, "{text:?}");
        }
    }
}
