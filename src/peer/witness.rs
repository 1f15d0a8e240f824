//! What a peer's probes do on this side's ports before any program sees them.
//!
//! A receipt proves that a conversation arrived; where there is none, a [`Witness`] splits the silence: did the request
//! never arrive, or was the reply lost? Start one for each run of a peer, so that the counters and the bounds are that
//! run's. What it all means is left to `diagnose::both`.
//!
//! # What shows where
//! Seen on Linux 6.18 with nftables, for a connect to an open port:
//!
//! | what happens to the request or to the reply (SYN-ACK) | table | counters | packets |
//! |---|---|---|---|
//! | request lost on the way | - | - | - |
//! | request dropped by this host's own firewall (input) | - | - | request in |
//! | request refused by it (reset, ICMP) | - | - | request in, refusal out |
//! | reply dropped by this host's own firewall (output) | half-open, lasts | - | request in |
//! | reply rejected by it (reset, ICMP) | as below | as below | request in, reply refused |
//! | reply dropped on the way | half-open, lasts | - | request in, reply out |
//! | reply answered with a TCP reset | for microseconds | ended | request in, reply out, reply refused |
//! | reply answered with ICMP net- or host-unreachable, ICMPv6 admin-prohibited or port-unreachable | for microseconds | ended | request in, reply out, reply refused |
//! | reply answered with another ICMP (admin-, host-, net-prohibited, port-, protocol-unreachable; ICMPv6 no-route, address-unreachable) | half-open, lasts | - | request in, reply out, reply refused |
//! | connected | for one round trip: rarely | - | request in, reply out |
//!
//! An output rule of this host that rejects with ICMP host-unreachable ends the half-open connection too. "Lasts" is
//! until the replies are given up, by default for a minute. So no half-open connection *and* no ended one proves, with
//! [`Means::ConnectionTable`] and [`Means::Counters`], that the request did not get past this host's firewall; that it did
//! not reach the host at all takes [`Means::Packets`].
//!
//! # What can mislead
//! - A packet that arrived may still be dropped by this host's own firewall: packets are seen before it. Packets that
//!   leave are seen behind it.
//! - A half-open connection of a service whose queue of connections is full lasts although nothing is lost.
//! - Other machines behind the peer's address (NAT) are not told from it, and the counters know no address at all.
//! - A program that takes packets before the system does (XDP, a virtual machine's own interface) hides them.

pub mod glance;
mod knocks;
mod lapse;
mod passing;
mod seen;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::model::flow::Transport;
use crate::model::knock::{Knock, Knocked};
use crate::model::sighting::{Means, Sighting, SightingKind};
use crate::sys::{ConnectionTable, Counters, Counts, ListeningPorts, Packets, thread_time};
use crate::wire::packet;
use lapse::Lapse;
use passing::Passing;
use seen::Seen;

/// The time between two looks at the table of connections, where nothing calls for one. A half-open connection whose answer
/// this host's own firewall keeps back lasts for a second.
const PAUSE: Duration = Duration::from_millis(50);
/// The shortest time between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// How many times as long as a look took the next pause is: 20,000 connections take a tenth of a second to look through,
/// and that is to cost no more than a twentieth of one core.
const PAUSE_FOR_EACH_LOOK: u32 = 19;
/// The longest pause; half-open connections last several times as long.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Packets that are read before others may look at what was seen.
const PACKETS_AT_ONCE: usize = 256;
/// Packets that may wait to be read when somebody asks; more is a flood, whose end nobody waits for.
const MOST_WAITING: usize = 32_768;

/// Watches ports of this machine until it is dropped.
pub struct Witness {
    watch: Arc<Watch>,
    started: Instant,
    sampler: Option<JoinHandle<()>>,
    capturer: Option<JoinHandle<()>>,
}

/// What the witness and its threads share.
struct Watch {
    tcp: Vec<u16>,
    udp: Vec<u16>,
    table: Option<Mutex<ConnectionTable>>,
    counters: Option<Mutex<Counters>>,
    listening: Option<Mutex<ListeningPorts>>,
    before: Counts,
    packets: Option<Packets>,
    seen: Mutex<Seen>,
    lapses: Mutex<Lapses>,
    /// When the last look began that somebody asked for.
    looked: Mutex<Option<Instant>>,
    sampler: OnceLock<Thread>,
    stopped: AtomicBool,
}

/// What was overlooked.
#[derive(Default)]
struct Lapses {
    /// Packets that came faster than they were read.
    packets: Lapse,
    /// Requests that the table does not show.
    untabled: Lapse,
}

impl Witness {
    /// Begins to watch these ports of this machine. Never fails: what can't be watched is missing from [`Self::means`].
    /// What is watched is the network namespace of the calling thread; a witness is to be asked from the same one.
    #[must_use]
    pub fn start(ports: impl IntoIterator<Item = (Transport, u16)>) -> Self {
        let watch = Arc::new(Watch::new(ports));
        let begin = |name: &str, work: fn(&Watch)| {
            let watch = Arc::clone(&watch);
            thread::Builder::new().name(name.to_owned()).spawn(move || work(&watch)).ok()
        };
        let sampler = watch.table.as_ref().and_then(|_| begin("witness-table", Watch::sample_on));
        if let Some(sampler) = &sampler {
            let _ = watch.sampler.set(sampler.thread().clone());
        }
        let capturer = watch.packets.as_ref().and_then(|_| begin("witness-packets", Watch::capture_on));
        Self { watch, started: Instant::now(), sampler, capturer }
    }

    /// With what it looks. What was not looked for can't be missed, so a means that overlooked something is no longer
    /// one: packets that came faster than they were read, requests that the table does not show (SYN cookies, a
    /// listener's full queue), sightings that had to be forgotten because they were too many.
    pub fn means(&self) -> Vec<Means> {
        self.watch.read_packets(MOST_WAITING);
        let forgot = self.watch.seen().forgot();
        self.means_but(self.started, forgot)
    }

    /// With what it has looked for these addresses of one peer since `since`: what was overlooked before then, or forgotten of
    /// others, does not matter.
    pub fn means_of(&self, since: Instant, peer: &[IpAddr]) -> Vec<Means> {
        let forgot = self.watch.seen().forgot_of(peer, self.millis(since));
        self.means_but(since, forgot)
    }

    fn means_but(&self, since: Instant, forgot: bool) -> Vec<Means> {
        let watch = &self.watch;
        watch.note_lapses();
        let lapses = locked(&watch.lapses);
        let table = self.sampler.is_some() && !lapses.untabled.since(since) && !forgot;
        let packets = self.capturer.is_some() && !lapses.packets.since(since) && !forgot;
        let means =
            [(Means::ConnectionTable, table), (Means::Counters, watch.counters.is_some()), (Means::Packets, packets)];
        means.into_iter().filter(|(_, works)| *works).map(|(means, _)| means).collect()
    }

    /// Everything seen of one peer since the start, the oldest first: each kind once for each pair of addresses, at most
    /// some thousands. A datagram that left from another port than the peer asked (as TFTP does) is a reply of the port
    /// that was asked. Takes a fresh look, which blocks for milliseconds, or a few tenths of a second where this machine
    /// has tens of thousands of connections.
    pub fn seen_of(&self, peer: IpAddr) -> Vec<Sighting> {
        self.look(Instant::now());
        self.watch.seen().of(peer)
    }

    /// Takes a fresh look, unless one was begun since `asked`: many that ask at once share it. It blocks as
    /// [`Witness::seen_of`] does.
    pub fn look(&self, asked: Instant) {
        let mut looked = locked(&self.watch.looked);
        if looked.is_none_or(|began| began < asked) {
            let began = Instant::now();
            self.watch.sample();
            self.watch.read_packets(MOST_WAITING);
            *looked = Some(began);
        }
    }

    /// From now on, this side's own packets to and from this address are watched as well.
    pub fn probe(&self, remote: IpAddr) {
        self.watch.seen().probe(remote);
    }

    /// What was seen of these addresses of one peer since `since`, by the last look. `before` is [`Witness::ended`] as it was then: the counters
    /// tell no address, so that what they tell is the peer's only where no other was joined.
    pub fn seen_since(&self, since: Instant, peer: &[IpAddr], before: &Tally) -> Vec<Sighting> {
        let from = self.millis(since);
        let mut seen: Vec<Sighting> = peer.iter().flat_map(|address| self.watch.seen().of(*address)).collect();
        seen.retain(|sighting| sighting.at_ms >= from);
        let ports = self.ended().ports_since(before, &self.watch.tcp);
        let kind = SightingKind::HalfOpenEnded;
        for (address, port) in
            peer.first().into_iter().flat_map(|address| ports.iter().map(move |port| (address, port)))
        {
            let (remote, local) = (SocketAddr::new(*address, 0), SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), *port));
            seen.push(Sighting { kind, transport: Transport::Tcp, remote, local, at_ms: from, icmp: None });
        }
        seen
    }

    /// The watched ports on which somebody asked that is not known since then, by the last look.
    pub fn strangers_since(&self, since: Instant, known: impl Fn(IpAddr) -> bool) -> Vec<(Transport, u16)> {
        let from = self.millis(since);
        let seen = self.watch.seen();
        let asked = seen.of_others(&known).filter(|seen| seen.at_ms >= from && knocks::is_request(seen));
        let mut ports: Vec<_> = asked.map(|seen| (seen.transport, seen.local.port())).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// From which unknown addresses the knocks came since then, by the last look.
    pub fn recognise(&self, knocks: &[Knock], since: Instant, known: impl Fn(IpAddr) -> bool) -> Vec<Knocked> {
        let from = self.millis(since);
        let seen = self.watch.seen();
        let recognise = |knock| knocks::recognise(knock, seen.of_others(&known).filter(|seen| seen.at_ms >= from));
        knocks.iter().map(recognise).collect()
    }

    fn millis(&self, since: Instant) -> u64 {
        u64::try_from(since.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }

    /// What the counters say now of half-open connections that were ended.
    pub fn ended(&self) -> Tally {
        let ports = self.watch.listening.as_ref().and_then(|listening| locked(listening).turned_away());
        Tally { all: self.half_open_ended(), ports }
    }

    /// How many half-open connections of this machine were ended by a reset or an ICMP message since the start,
    /// whoever's they were and on whatever port: evidence about a peer only while no other is joined.
    pub fn half_open_ended(&self) -> u64 {
        self.watch.counted().map_or(0, |now| now.ended.saturating_sub(self.watch.before.ended))
    }
}

/// Half-open connections that were ended, by the counters of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    all: u64,
    /// What each listening port has turned away, those among it; nothing where the system does not tell.
    ports: Option<HashMap<u16, u64>>,
}

impl Tally {
    /// The watched ports on which some were ended since then; 0 for any of them, where it is not known on which.
    fn ports_since(&self, before: &Self, watched: &[u16]) -> Vec<u16> {
        if self.all <= before.all {
            return Vec::new();
        }
        let Some(now) = &self.ports else { return vec![0] };
        let then = |port: &u16| before.ports.as_ref().and_then(|ports| ports.get(port)).copied().unwrap_or(0);
        watched.iter().copied().filter(|port| now.get(port).is_some_and(|drops| *drops > then(port))).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watch.stopped.store(true, Ordering::Relaxed);
        if let Some(sampler) = &self.sampler {
            sampler.thread().unpark();
        }
    }
}

impl Watch {
    fn new(ports: impl IntoIterator<Item = (Transport, u16)>) -> Self {
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for (transport, port) in ports {
            match transport {
                Transport::Tcp => tcp.push(port),
                Transport::Udp => udp.push(port),
            }
        }
        let mut counters = if tcp.is_empty() { None } else { Counters::open() };
        let before = counters.as_mut().and_then(Counters::read).unwrap_or_default();
        let lapses = Lapses { untabled: Lapse::after(before.untabled), packets: Lapse::default() };
        Self {
            before,
            counters: counters.map(Mutex::new),
            listening: if tcp.is_empty() { None } else { ListeningPorts::open().map(Mutex::new) },
            table: if tcp.is_empty() { None } else { ConnectionTable::open().map(Mutex::new) },
            packets: Packets::open(),
            seen: Mutex::new(Seen::new(Instant::now())),
            lapses: Mutex::new(lapses),
            looked: Mutex::default(),
            sampler: OnceLock::new(),
            stopped: AtomicBool::new(false),
            tcp,
            udp,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        locked(&self.seen)
    }

    fn counted(&self) -> Option<Counts> {
        locked(self.counters.as_ref()?).read()
    }

    fn note_lapses(&self) {
        let untabled = self.counted().map(|now| now.untabled);
        let lost = self.packets.as_ref().map(Packets::lost);
        let mut lapses = locked(&self.lapses);
        lapses.untabled.note(untabled.unwrap_or_default());
        lapses.packets.note(lost.unwrap_or_default().into());
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Looks at the table of connections until the witness is dropped.
    fn sample_on(&self) {
        let mut cost = Duration::from_millis(1);
        while !self.stopped() {
            let began = (Instant::now(), thread_time());
            self.sample();
            self.note_lapses();
            // On a busy machine most of a look is waiting, which costs nobody anything.
            let computed = thread_time().zip(began.1).map(|(now, before)| now.saturating_sub(before));
            // One slow look may be a busy machine's doing, which is no reason to look less often.
            cost = computed.unwrap_or_else(|| began.0.elapsed()).min(cost * 2);
            thread::sleep((cost * PAUSE_FOR_EACH_LOOK).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
            thread::park_timeout(PAUSE);
        }
    }

    fn sample(&self) {
        let Some(table) = &self.table else { return };
        let half_open = locked(table).half_open(&self.tcp);
        let mut seen = self.seen();
        for (remote, local) in half_open {
            seen.keep(SightingKind::HalfOpen, Transport::Tcp, remote, local);
        }
    }

    /// Reads packets until the witness is dropped. A connection request calls for a look at the table.
    fn capture_on(&self) {
        let Some(packets) = &self.packets else { return };
        while !self.stopped() {
            if packets.wait() {
                let before = self.seen().requests();
                self.read_packets(PACKETS_AT_ONCE);
                if let Some(sampler) = self.sampler.get().filter(|_| self.seen().requests() > before) {
                    sampler.unpark();
                }
            }
        }
    }

    /// Reads the packets that have come. All are read under the lock, so that whoever holds it next misses none.
    fn read_packets(&self, most: usize) {
        let Some(packets) = &self.packets else { return };
        let mut seen = self.seen();
        let mut buffer = [0; Packets::BYTES];
        for _ in 0..most {
            let Some((bytes, direction)) = packets.next(&mut buffer) else { break };
            if let Some(read) = packet::read(bytes) {
                let (tcp, udp, is_own) = (&self.tcp, &self.udp, &|ip| packets.is_own(ip));
                Passing { tcp, udp, direction, is_own, seen: &mut seen }.note(&read);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole between any two statements, so a panic elsewhere does not matter.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
