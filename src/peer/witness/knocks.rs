//! Telling from which unknown address a peer's knocks came, by what was seen of strangers meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::model::knock::{Knock, Knocked};
use crate::model::sighting::{Sighting, SightingKind};

/// Knocks that may be lost on the way.
const LOST: usize = 1;

/// Whether a sighting is of a request that arrived.
pub(super) fn is_request(seen: &Sighting) -> bool {
    matches!(seen.kind, SightingKind::RequestIn | SightingKind::HalfOpen)
}

/// Whose the knocks are, of strangers who asked meanwhile: most translations keep the source ports; where they don't, the
/// number must do.
pub(super) fn recognise<'a>(knock: &Knock, strangers: impl Iterator<Item = &'a Sighting>) -> Knocked {
    let mut asked: BTreeMap<IpAddr, HashSet<u16>> = BTreeMap::new();
    let on_port = |seen: &&Sighting| {
        is_request(seen)
            && (seen.transport, seen.local.port(), seen.remote.is_ipv6())
                == (knock.transport, knock.port, knock.over_v6)
    };
    for seen in strangers.filter(on_port) {
        asked.entry(seen.remote.ip()).or_default().insert(seen.remote.port());
    }
    let wanted = knock.from.len().saturating_sub(LOST).max(2);
    let by_ports = only(&asked, |ports| knock.from.iter().filter(|port| ports.contains(port)).count() >= wanted);
    let from = by_ports.or_else(|| only(&asked, |ports| ports.len() == knock.from.len() && ports.len() >= wanted));
    // A translation may spread its requests over several addresses.
    let all: usize = asked.values().map(HashSet::len).sum();
    let doubtful = from.is_none() && all >= wanted;
    Knocked { transport: knock.transport, port: knock.port, over_v6: knock.over_v6, from, doubtful }
}

/// The one address of which this holds.
fn only(asked: &BTreeMap<IpAddr, HashSet<u16>>, fits: impl Fn(&HashSet<u16>) -> bool) -> Option<IpAddr> {
    let mut fitting = asked.iter().filter(|(_, ports)| fits(ports)).map(|(address, _)| *address);
    fitting.next().filter(|_| fitting.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::Transport;

    const KNOCK: [u16; 4] = [50_001, 50_002, 50_003, 50_004];

    /// What is made of the knocks where these strangers asked from these ports.
    fn made_of(strangers: &[(&str, &[u16])]) -> (Option<String>, bool) {
        let seen = |address: &str, port: u16, local: &str| Sighting {
            kind: SightingKind::RequestIn,
            transport: Transport::Tcp,
            remote: format!("{address}:{port}").parse().expect("an address"),
            local: local.parse().expect("an address"),
            at_ms: 0,
            icmp: None,
        };
        let of = |(address, ports): &(&str, &[u16])| -> Vec<Sighting> {
            ports.iter().map(|port| seen(address, *port, "10.9.2.2:80")).collect()
        };
        let mut all: Vec<Sighting> = strangers.iter().flat_map(of).collect();
        // On another port, and so none of them.
        all.extend(KNOCK.map(|port| seen("10.9.2.99", port, "10.9.2.2:81")));
        let knock = Knock { transport: Transport::Tcp, port: 80, over_v6: false, from: KNOCK.to_vec() };
        let Knocked { from, doubtful, .. } = recognise(&knock, all.iter());
        (from.map(|from| from.to_string()), doubtful)
    }

    #[test]
    fn the_source_ports_show_whose_knocks_they_are_even_where_one_is_lost_and_others_ask_too() {
        let translated = Some("10.9.2.77".to_owned());
        assert_eq!(made_of(&[("10.9.2.77", &KNOCK)]), (translated.clone(), false));
        let others: &[(&str, &[u16])] = &[("10.9.2.77", &KNOCK[1..]), ("10.9.2.78", &[1, 2, 3, 4])];
        assert_eq!(made_of(others), (translated, false));
    }

    #[test]
    fn where_source_ports_change_the_number_shows_it_unless_several_fit() {
        assert_eq!(made_of(&[("10.9.2.77", &[1, 2, 3, 4]), ("10.9.2.78", &[1])]), (Some("10.9.2.77".into()), false));
        assert_eq!(made_of(&[("10.9.2.77", &[1, 2, 3, 4]), ("10.9.2.78", &[1, 2, 3, 4])]), (None, true));
        assert_eq!(made_of(&[("10.9.2.77", &[1, 2, 3, 4, 5])]), (None, true));
        assert_eq!(made_of(&[("10.9.2.77", &[1, 2]), ("10.9.2.78", &[3, 4])]), (None, true), "spread over addresses");
    }

    #[test]
    fn who_asks_too_seldom_is_not_the_one_who_knocks() {
        assert_eq!(made_of(&[]), (None, false));
        assert_eq!(made_of(&[("10.9.2.77", &[50_001, 7])]), (None, false));
    }
}
