//! What was seen so far: each thing once, by peer, and never more than a bounded number.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::model::evidence::Icmp;
use crate::model::flow::Transport;
use crate::model::sighting::{Sighting, SightingKind};

/// Sightings that are kept of one peer.
const MOST_OF_A_PEER: usize = 4096;
/// Sightings that are kept of all peers, and requests whose replies are recognised.
const MOST: usize = 16_384;

type Key = (SightingKind, Transport, SocketAddr, SocketAddr);

pub(super) struct Seen {
    since: Instant,
    known: HashSet<Key>,
    by_peer: HashMap<IpAddr, VecDeque<Sighting>>,
    /// The peer of every sighting, the oldest first.
    order: VecDeque<IpAddr>,
    /// Who sent datagrams to which watched address.
    askers: HashMap<SocketAddr, SocketAddr>,
    /// Whom this side probes.
    probed: HashSet<IpAddr>,
    /// When the newest was seen that had to be forgotten, of each whom this side probes, and of all others.
    forgot: HashMap<IpAddr, u64>,
    forgot_others: Option<u64>,
    /// Connection requests so far.
    requests: u64,
}

impl Seen {
    pub fn new(since: Instant) -> Self {
        Self {
            since,
            known: HashSet::new(),
            by_peer: HashMap::new(),
            order: VecDeque::new(),
            askers: HashMap::new(),
            probed: HashSet::new(),
            forgot: HashMap::new(),
            forgot_others: None,
            requests: 0,
        }
    }

    /// Keeps a sighting unless it is known; beyond the bounds the oldest is forgotten for it. Whether it is new.
    pub fn keep(&mut self, kind: SightingKind, transport: Transport, remote: SocketAddr, local: SocketAddr) -> bool {
        self.keep_any(kind, transport, remote, local, None)
    }

    /// Keeps a sighting of an ICMP message.
    pub fn keep_rejection(
        &mut self,
        kind: SightingKind,
        transport: Transport,
        remote: SocketAddr,
        local: SocketAddr,
        icmp: Icmp,
    ) {
        self.keep_any(kind, transport, remote, local, Some(icmp));
    }

    fn keep_any(
        &mut self,
        kind: SightingKind,
        transport: Transport,
        remote: SocketAddr,
        local: SocketAddr,
        icmp: Option<Icmp>,
    ) -> bool {
        let (remote, local) = (plain(remote), plain(local));
        if !self.known.insert((kind, transport, remote, local)) {
            return false;
        }
        if (kind, transport) == (SightingKind::RequestIn, Transport::Tcp) {
            self.requests += 1;
        }
        let peer = remote.ip();
        if self.by_peer.get(&peer).is_some_and(|sightings| sightings.len() >= MOST_OF_A_PEER) {
            // Its place in the order is then the new one's.
            self.forget_oldest_of(peer);
        } else {
            if self.order.len() >= MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.forget_oldest_of(oldest);
            }
            self.order.push_back(peer);
        }
        let at_ms = self.now();
        self.by_peer.entry(peer).or_default().push_back(Sighting { kind, transport, remote, local, at_ms, icmp });
        true
    }

    fn forget_oldest_of(&mut self, peer: IpAddr) {
        let Some(sightings) = self.by_peer.get_mut(&peer) else { return };
        let old = sightings.pop_front();
        if sightings.is_empty() {
            self.by_peer.remove(&peer);
        }
        if let Some(old) = old {
            self.known.remove(&(old.kind, old.transport, old.remote, old.local));
            self.note_forgotten(peer, old.at_ms);
        }
    }

    fn note_forgotten(&mut self, peer: IpAddr, at_ms: u64) {
        let newest = if self.probed.contains(&peer) {
            self.forgot.entry(peer).or_default()
        } else {
            self.forgot_others.get_or_insert_default()
        };
        *newest = at_ms.max(*newest);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Remembers who asked, for replies that leave from another port than was asked.
    pub fn asked(&mut self, remote: SocketAddr, local: SocketAddr) {
        if self.askers.len() >= MOST {
            self.forget_askers();
        }
        self.askers.insert(plain(remote), plain(local));
    }

    /// Strangers first.
    fn forget_askers(&mut self) {
        let now = self.now();
        self.forgot_others = Some(now);
        self.askers.retain(|remote, _| self.probed.contains(&remote.ip()));
        if self.askers.len() >= MOST {
            self.askers.clear();
            self.forgot.extend(self.probed.iter().map(|peer| (*peer, now)));
        }
    }

    /// The watched address that this one asked.
    pub fn asked_by(&self, remote: SocketAddr) -> Option<SocketAddr> {
        self.askers.get(&plain(remote)).copied()
    }

    /// From now on, this side's own packets to and from this address are of interest.
    pub fn probe(&mut self, remote: IpAddr) {
        if self.probed.len() < MOST {
            self.probed.insert(remote.to_canonical());
        }
    }

    pub fn probes(&self, remote: IpAddr) -> bool {
        self.probed.contains(&remote.to_canonical())
    }

    /// Everything kept of one peer, the oldest first.
    pub fn of(&self, peer: IpAddr) -> Vec<Sighting> {
        self.by_peer.get(&peer.to_canonical()).map(|sightings| sightings.iter().cloned().collect()).unwrap_or_default()
    }

    /// Everything kept of those that are not known.
    pub fn of_others(&self, known: &impl Fn(IpAddr) -> bool) -> impl Iterator<Item = &Sighting> {
        self.by_peer.iter().filter(|(peer, _)| !known(**peer)).flat_map(|(_, sightings)| sightings)
    }

    /// How many connection requests were seen.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether something had to be forgotten, so that nothing can be said to be missing.
    pub fn forgot(&self) -> bool {
        self.forgot_others.is_some() || !self.forgot.is_empty()
    }

    /// Whether something of these had to be forgotten that was seen since then.
    pub fn forgot_of(&self, peers: &[IpAddr], since_ms: u64) -> bool {
        peers.iter().map(IpAddr::to_canonical).any(|peer| {
            let newest = if self.probed.contains(&peer) { self.forgot.get(&peer) } else { self.forgot_others.as_ref() };
            newest.is_some_and(|newest| *newest >= since_ms)
        })
    }
}

/// One notation of an address: IPv4 as such, without scope or flow label.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 443);

    fn keep(seen: &mut Seen, ip: u32, port: u16) {
        seen.keep(SightingKind::RequestIn, Transport::Tcp, SocketAddr::new(Ipv4Addr::from(ip).into(), port), LOCAL);
    }

    #[test]
    fn each_thing_is_kept_once_in_whatever_notation() {
        let mut seen = Seen::new(Instant::now());
        for remote in ["10.9.1.2:7", "10.9.1.2:7", "[::ffff:10.9.1.2]:7", "10.9.1.2:8"] {
            seen.keep(SightingKind::HalfOpen, Transport::Tcp, remote.parse().expect("an address"), LOCAL);
        }
        let ports = |peer: &str| -> Vec<u16> {
            seen.of(peer.parse().expect("an address")).iter().map(|sighting| sighting.remote.port()).collect()
        };
        assert_eq!((ports("10.9.1.2"), ports("::ffff:10.9.1.2"), ports("10.9.1.3")), (vec![7, 8], vec![7, 8], vec![]));
        assert!(!seen.forgot());
    }

    #[test]
    fn a_talkative_peer_loses_its_oldest_and_nobody_elses() {
        let mut seen = Seen::new(Instant::now());
        keep(&mut seen, 1, 1);
        for port in 0..=u16::try_from(MOST_OF_A_PEER).expect("a number of ports") {
            keep(&mut seen, 2, port);
        }
        assert!(seen.forgot());
        assert_eq!(seen.of(Ipv4Addr::from(1).into()).len(), 1);
        let kept = seen.of(Ipv4Addr::from(2).into());
        assert_eq!((kept.len(), kept[0].remote.port()), (MOST_OF_A_PEER, 1));
    }

    #[test]
    fn what_strangers_make_it_forget_is_missing_of_nobody_who_is_probed() {
        let mut seen = Seen::new(Instant::now());
        let (peer, stranger) = (Ipv4Addr::from(1).into(), Ipv4Addr::from(2));
        seen.probe(peer);
        keep(&mut seen, 1, 1);
        seen.asked(SocketAddr::new(peer, 1), LOCAL);
        for port in 0..u16::MAX {
            keep(&mut seen, 2, port);
            seen.asked(SocketAddr::new(stranger.into(), port), LOCAL);
        }
        assert!(seen.forgot_of(&[stranger.into()], 0) && !seen.forgot_of(&[peer], 0));
        assert_eq!((seen.of(peer).len(), seen.asked_by(SocketAddr::new(peer, 1))), (1, Some(LOCAL)));
        for port in 0..u16::MAX {
            keep(&mut seen, 1, port);
        }
        assert!(seen.forgot_of(&[peer], 0) && !seen.forgot_of(&[peer], u64::MAX), "what was before does not matter");
    }

    #[test]
    fn a_flood_of_strangers_takes_bounded_memory() {
        let mut seen = Seen::new(Instant::now());
        let most = u32::try_from(MOST).expect("a number of addresses");
        for ip in 0..3 * most {
            keep(&mut seen, ip, 1);
            seen.asked(SocketAddr::new(Ipv4Addr::from(ip).into(), 1), LOCAL);
        }
        let sizes = [seen.known.len(), seen.by_peer.len(), seen.order.len(), seen.askers.len()];
        assert!(sizes.iter().all(|size| *size <= MOST), "{sizes:?}");
        assert!(seen.forgot());
        assert_eq!(seen.of(Ipv4Addr::from(3 * most - 1).into()).len(), 1);
        assert_eq!(seen.of(Ipv4Addr::from(1).into()), []);
    }
}
