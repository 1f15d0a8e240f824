//! Who is answered: a set of addresses that changes while the responders run, and what each of them has used.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Limits;

/// Who is answered. Clones are the same set.
#[derive(Debug, Clone, Default)]
pub struct Peers(Arc<Mutex<HashMap<IpAddr, Peer>>>);

#[derive(Debug, Default)]
struct Peer {
    /// How many hold that this is a peer.
    guards: usize,
    account: Arc<Account>,
}

/// Holds an address among the peers until it is dropped.
#[derive(Debug)]
#[must_use = "the address is a peer only as long as this is kept"]
pub struct Admission {
    peers: Peers,
    address: IpAddr,
}

impl Peers {
    /// Nobody, until somebody is admitted.
    #[must_use]
    pub fn nobody() -> Self {
        Self::default()
    }

    /// These addresses, for good.
    #[must_use]
    pub fn only(addresses: Vec<IpAddr>) -> Self {
        let peers = Self::default();
        for address in addresses {
            peers.add(address.to_canonical(), true);
        }
        peers
    }

    /// This machine itself, by its loopback addresses.
    #[must_use]
    pub fn loopback() -> Self {
        Self::only(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
    }

    /// Counts an address as a peer until the last guard for it is dropped: the one from which somebody proved itself.
    /// Conversations that it has open by then go on within their limits.
    pub fn admit(&self, address: IpAddr) -> Admission {
        self.hold(address, true)
    }

    /// Like [`Peers::admit`], for an address that a peer says is its own. Until a TCP connection comes from it, it may be
    /// anybody's, so datagrams in its name are answered with few bytes ([`Limits::unproved_bytes`]).
    pub fn admit_named(&self, address: IpAddr) -> Admission {
        self.hold(address, false)
    }

    #[must_use]
    pub fn include(&self, address: IpAddr) -> bool {
        self.lock().contains_key(&address.to_canonical())
    }

    /// How many addresses are peers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a peer has used; nothing for a stranger.
    pub(super) fn account(&self, address: IpAddr) -> Option<Arc<Account>> {
        self.lock().get(&address.to_canonical()).map(|peer| Arc::clone(&peer.account))
    }

    fn hold(&self, address: IpAddr, proved: bool) -> Admission {
        let address = address.to_canonical();
        self.add(address, proved);
        Admission { peers: self.clone(), address }
    }

    fn add(&self, address: IpAddr, proved: bool) {
        let mut peers = self.lock();
        let peer = peers.entry(address).or_default();
        peer.guards += 1;
        if proved {
            peer.account.prove();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut peers = self.peers.lock();
        if let Some(peer) = peers.get_mut(&self.address) {
            peer.guards -= 1;
            if peer.guards == 0 {
                peers.remove(&self.address);
            }
        }
    }
}

/// What one peer has used. It begins anew with the peer's next admission.
#[derive(Debug, Default)]
pub(super) struct Account {
    proved: AtomicBool,
    bytes: AtomicU64,
    unproved_bytes: AtomicU64,
    bucket: Mutex<Bucket>,
}

impl Account {
    /// A connection came from the address, or a proof over one: it is no forgery.
    pub(super) fn prove(&self) {
        self.proved.store(true, Ordering::Relaxed);
    }

    pub(super) fn used_up(&self, limits: &Limits) -> bool {
        self.bytes.load(Ordering::Relaxed) >= limits.bytes_per_peer
    }

    pub(super) fn spend(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether one more datagram of this length is looked at.
    pub(super) fn takes_datagram(&self, length: usize, limits: &Limits, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = !self.used_up(limits) && bucket.take(limits.datagrams_per_second, now);
        if taken {
            self.spend(length);
        }
        taken
    }

    /// Whether a datagram of this length may be sent in answer.
    pub(super) fn gives_datagram(&self, length: usize, limits: &Limits) -> bool {
        self.proved.load(Ordering::Relaxed)
            || self.unproved_bytes.fetch_add(length as u64, Ordering::Relaxed) + length as u64 <= limits.unproved_bytes
    }
}

/// A token bucket: it fills at a rate, up to a second's worth.
#[derive(Debug, Default)]
struct Bucket {
    /// Thousandths of datagrams, and when they were counted; full where it was never used.
    filled: Option<(u64, Instant)>,
}

impl Bucket {
    fn take(&mut self, per_second: u32, now: Instant) -> bool {
        let full = u64::from(per_second) * 1000;
        let (level, at) = self.filled.unwrap_or((full, now));
        let millis = u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX);
        let level = level.saturating_add(millis.saturating_mul(u64::from(per_second))).min(full);
        // Less than a millisecond adds nothing, so the clock must not be moved on by it.
        let at = if millis == 0 { at } else { now };
        let taken = level >= 1000;
        self.filled = Some((if taken { level - 1000 } else { level }, at));
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_is_a_peer_until_its_last_guard_is_dropped() {
        let peers = Peers::nobody();
        let address = address("192.0.2.1");
        let first = peers.admit(address);
        let second = peers.clone().admit_named(address);
        assert!(peers.include(address) && peers.len() == 1);
        drop(first);
        assert!(peers.include(address));
        drop(second);
        assert!(!peers.include(address) && peers.is_empty());
    }

    #[test]
    fn a_guard_for_a_fixed_peer_takes_nothing_away_when_it_is_dropped() {
        let peers = Peers::only(vec![address("192.0.2.1")]);
        drop(peers.admit(address("192.0.2.1")));
        assert!(peers.include(address("192.0.2.1")));
    }

    #[test]
    fn an_ipv4_address_is_the_same_peer_when_it_is_written_as_ipv6() {
        let peers = Peers::only(vec![address("::ffff:192.0.2.1")]);
        assert!(peers.include(address("192.0.2.1")) && peers.include(address("::ffff:192.0.2.1")));
        let _guard = peers.admit(address("192.0.2.1"));
        assert_eq!(peers.len(), 1);
    }

    #[test]
    fn many_guards_in_many_threads_leave_nobody_behind() {
        let peers = Peers::nobody();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let peers = &peers;
                scope.spawn(move || (0..500).for_each(|_| drop(peers.admit([127, 0, 0, n % 3].into()))));
            }
        });
        assert!(peers.is_empty());
    }

    #[test]
    fn datagrams_come_at_a_rate_and_a_seconds_worth_at_once() {
        let limits = Limits { datagrams_per_second: 10, ..Limits::default() };
        let account = Account::default();
        let start = Instant::now();
        let taken =
            |ms| (0..100).filter(|_| account.takes_datagram(1, &limits, start + Duration::from_millis(ms))).count();
        assert_eq!(taken(0), 10);
        assert_eq!(taken(50), 0);
        assert_eq!(taken(100), 1);
        assert_eq!(taken(60_000), 10);
    }

    #[test]
    fn a_peer_that_used_its_bytes_up_gets_nothing_more() {
        let limits = Limits { bytes_per_peer: 1000, ..Limits::default() };
        let account = Account::default();
        assert!(account.takes_datagram(999, &limits, Instant::now()));
        assert!(account.takes_datagram(1, &limits, Instant::now()));
        assert!(!account.takes_datagram(1, &limits, Instant::now()));
    }

    #[test]
    fn a_named_address_gets_few_bytes_until_it_shows_itself() {
        let limits = Limits { unproved_bytes: 100, ..Limits::default() };
        let peers = Peers::nobody();
        let _guard = peers.admit_named(address("192.0.2.1"));
        let account = peers.account(address("192.0.2.1")).expect("a peer");
        assert!(account.gives_datagram(100, &limits));
        assert!(!account.gives_datagram(1, &limits));
        account.prove();
        assert!(account.gives_datagram(100_000, &limits));
    }
}
