//! Holds a conversation that hangs once more, with smaller TCP segments: where it works with them and hangs with full ones
//! beside them, the way loses large packets, and the largest that passes is searched for.
//!
//! All conversations of a comparison ask the same, and differ in nothing but the size of their segments. Whether larger
//! ones hang is told by one that is known to work and goes on beside them: they get more than twice its time.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, sleep_until};

use super::filled::{ETHERNET, filled};
use crate::diagnose::looks::headers;
use crate::model::ask::Ask;
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::{Probe, Tftp, TftpRead};
use crate::model::token::Token;
use crate::net::trace::Trace;
use crate::net::{Net, path};

/// Sizes that are tried at the same time.
const AT_ONCE: u16 = 10;
/// The most rounds: three find the very byte below the size of an Ethernet packet, more go on where one was misled.
const MOST_ROUNDS: u8 = 5;
/// What a conversation may take beyond twice the time of one that works: a lost packet is sent again well within it.
const GRACE: Duration = Duration::from_millis(400);

/// Finds out whether smaller packets make the conversation work, and publishes the largest packet with which it does.
pub(super) async fn measure(ask: &Ask, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let Some(knob) = Knob::of(ask, seen).filter(|knob| knob.full > knob.smallest) else { return };
    let again = Again { ask: light(ask, knob.full), address, net, aside: trace.fork() };
    let mut search = Search { works: knob.smallest, hangs: knob.full, full: knob.full };
    if again.round(search.works, &[]).await.is_none() {
        return;
    }
    let mut sizes = search.next();
    sizes.push(knob.full);
    let Some(held) = again.round(search.works, &sizes).await else { return };
    if !held.contains(&(knob.full, Held::Hangs)) {
        return;
    }
    search.learn(&held);
    let headers = headers(ask, address);
    tell_limit(search, headers, trace);
    tokio::join!(narrow(&again, search, headers, trace), async {
        // Where all that this side sent was acknowledged, the way there is not the one to look at.
        if seen.number(Fact::Unacknowledged).is_some_and(|bytes| bytes > 0)
            && let Some(view) = path::View::new(ask, address, &net.paths, trace)
        {
            view.follow_large(usize::from(knob.full) + usize::try_from(headers).unwrap_or_default()).await;
        }
    });
}

/// Comes nearer to the limit, round by round.
async fn narrow(again: &Again<'_>, mut search: Search, headers: u64, trace: &Trace) {
    let full = search.full;
    for _ in 1..MOST_ROUNDS {
        let mut sizes = search.next();
        if sizes.is_empty() {
            return;
        }
        // A busy server may have been slow with it.
        sizes.extend(Some(search.hangs).filter(|size| *size != full));
        let Some(held) = again.round(search.works, &sizes).await else { return };
        search.learn(&held);
        tell_limit(search, headers, trace);
    }
}

fn tell_limit(search: Search, headers: u64, trace: &Trace) {
    trace.fact(Fact::LargestPacket, u64::from(search.works) + headers);
    trace.fact(Fact::LostPacket, u64::from(search.hangs) + headers);
}

/// What makes the packets of a protocol smaller: the bytes of a TCP segment, or of a TFTP block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Knob {
    /// What is tried first: every way carries it.
    smallest: u16,
    /// With which the conversation hung.
    full: u16,
}

impl Knob {
    fn of(ask: &Ask, seen: &Evidence) -> Option<Self> {
        match &ask.probe {
            Probe::Tftp(tftp) => Some(Self { smallest: Tftp::BLOCK, full: tftp.asked_block()? }),
            Probe::SqlBrowser(_) => None,
            _ => {
                let full = seen.number(Fact::Segment).unwrap_or(ETHERNET);
                Some(Self { smallest: Ask::SMALLEST_SEGMENT, full: u16::try_from(full).unwrap_or(u16::MAX) })
            }
        }
    }

    /// The question with packets of another size.
    fn turned(ask: &Ask, size: u16) -> Ask {
        let mut ask = ask.clone();
        match &mut ask.probe {
            Probe::Tftp(tftp) => tftp.blksize = Some(size),
            _ => ask.largest_segment = Some(size),
        }
        ask
    }
}

/// Tries after a small exchange whether packets of full size pass as well; where they do not, up to which size they do.
pub(super) async fn fill(ask: &Ask, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let Some(ask) = filled(ask, address, seen) else { return };
    let took: Duration = seen.steps.iter().map(|step| Duration::from_micros(step.took_ms.0)).sum();
    let aside = trace.fork();
    let asking = pin!(crate::probe::run(&ask, address, net, &aside));
    let asking = match select(asking, pin!(sleep(took * 2 + GRACE))).await {
        Either::Left(_) => return tell(held_full(&ask, &aside.finish(Failure::TimedOut)), trace),
        Either::Right(((), asking)) => asking,
    };
    let so_far = aside.so_far(Failure::TimedOut);
    tell(held(&so_far, false), trace);
    tell_acknowledged(&so_far, trace);
    match select(asking, pin!(measure(&ask, address, &so_far, net, trace))).await {
        Either::Left(_) => tell(held_full(&ask, &aside.finish(Failure::TimedOut)), trace),
        Either::Right(_) => tell_acknowledged(&aside.so_far(Failure::TimedOut), trace),
    }
}

/// How a conversation ended that was to fill packets: a server that gives smaller blocks than it is asked for has not.
fn held_full(ask: &Ask, evidence: &Evidence) -> Held {
    let filled = match &ask.probe {
        Probe::Tftp(tftp) => evidence.number(Fact::FileRead) >= tftp.asked_block().map(u64::from),
        _ => true,
    };
    if filled { held(evidence, true) } else { Held::Unclear }
}

fn tell(held: Held, trace: &Trace) {
    if held != Held::Unclear {
        trace.fact(Fact::FullPackets, held == Held::Works);
    }
}

/// What tells which half is lost.
fn tell_acknowledged(evidence: &Evidence, trace: &Trace) {
    if let Some(bytes) = evidence.number(Fact::Unacknowledged) {
        trace.fact(Fact::Unacknowledged, bytes);
    }
}

/// The same question with no more bytes than it takes to fill packets, without idleness, and with a token of its own.
fn light(ask: &Ask, full: u16) -> Ask {
    let enough = u64::from(full) * 2 + 512;
    let mut ask = Ask { token: Token::random(), ..ask.clone() };
    match &mut ask.probe {
        Probe::Http(http) => {
            http.send_bytes = http.send_bytes.map(|bytes| bytes.min(enough));
            http.receive_bytes = http.receive_bytes.map(|bytes| bytes.min(enough));
        }
        Probe::Websocket(websocket) => websocket.hold = None,
        Probe::Tftp(tftp) => (tftp.read, tftp.windowsize) = (Some(TftpRead::Start), None),
        _ => {}
    }
    ask
}

/// How a conversation with segments of one size went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// It came to an end of its own.
    Works,
    /// The connection was opened, and then it hung.
    Hangs,
    /// It did not come so far, or was ended: says nothing of packets.
    Unclear,
}

/// The conversation that is held again.
struct Again<'a> {
    ask: Ask,
    address: SocketAddr,
    net: &'a Net,
    aside: Trace,
}

impl Again<'_> {
    /// Holds it with each of these sizes and, to know how long it takes, with one that works; nothing where that one does not.
    async fn round(&self, works: u16, sizes: &[u16]) -> Option<Vec<(u16, Held)>> {
        let begun = Instant::now();
        let all: Vec<(u16, Trace)> = std::iter::once(&works).chain(sizes).map(|s| (*s, self.aside.fork())).collect();
        let mut running: FuturesUnordered<_> =
            all.iter().enumerate().map(|(index, (size, trace))| self.hold(index, *size, trace)).collect();
        let mut ended = vec![false; all.len()];
        let mut until: Option<Instant> = None;
        loop {
            tokio::select! {
                next = running.next() => {
                    let Some(index) = next else { break };
                    ended[index] = true;
                    if index == 0 {
                        until = Some(Instant::now() + begun.elapsed() + GRACE);
                    }
                }
                () = sleep_until(until.unwrap_or(begun)), if until.is_some() => break,
            }
        }
        drop(running);
        let mut held =
            all.iter().zip(ended).map(|((size, trace), ended)| (*size, held(&trace.finish(Failure::TimedOut), ended)));
        let reference = held.next()?;
        (reference.1 == Held::Works).then(|| held.collect())
    }

    async fn hold(&self, index: usize, size: u16, trace: &Trace) -> usize {
        let ask = Knob::turned(&self.ask, size);
        // How it ended is in the trace.
        let _ = crate::probe::run(&ask, self.address, self.net, trace).await;
        index
    }
}

fn held(evidence: &Evidence, ended: bool) -> Held {
    // A datagram's socket is always there: only an answer shows that there is anybody.
    let datagrams = evidence.number(Fact::SentBytes).is_none();
    let connected = evidence.passed(StepKind::Connect) && (!datagrams || evidence.fact(Fact::TransferPort).is_some());
    match evidence.stopped_at().and_then(|step| step.error) {
        None if ended => Held::Works,
        None | Some(Failure::TimedOut) if connected => Held::Hangs,
        Some(failure) if ended && connected && is_answer(failure) => Held::Works,
        _ => Held::Unclear,
    }
}

/// Whether a failure is what the far side has said, and not what has become of the connection.
fn is_answer(failure: Failure) -> bool {
    !matches!(
        failure,
        Failure::TimedOut
            | Failure::Refused
            | Failure::Reset
            | Failure::Closed
            | Failure::HostUnreachable
            | Failure::NetworkUnreachable
            | Failure::Rejected
            | Failure::Denied
            | Failure::AddressInUse
            | Failure::AddressUnavailable
            | Failure::NoMoreSockets
            | Failure::Interrupted
            | Failure::Internal
    )
}

/// Between which sizes the limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Search {
    works: u16,
    hangs: u16,
    /// What is known to hang.
    full: u16,
}

impl Search {
    /// The sizes to try next; none where the limit is found.
    fn next(self) -> Vec<u16> {
        let between = self.hangs - self.works - 1;
        let parts = u32::from(AT_ONCE.min(between)) + 1;
        let place = |n: u32| u32::from(self.works) + (u32::from(between) + 1) * n / parts;
        (1..parts).filter_map(|n| u16::try_from(place(n)).ok()).collect()
    }

    /// Takes what was found in; one that works outweighs smaller ones that hang, which chance may have lost, and what it was
    /// found to be itself before.
    fn learn(&mut self, held: &[(u16, Held)]) {
        if held.contains(&(self.hangs, Held::Works)) && self.hangs < self.full {
            self.hangs = self.full;
        }
        let with = |wanted: Held| held.iter().filter(move |(_, held)| *held == wanted).map(|(size, _)| *size);
        self.works = with(Held::Works).filter(|size| *size < self.hangs).max().unwrap_or(self.works).max(self.works);
        self.hangs = with(Held::Hangs).filter(|size| *size > self.works).min().unwrap_or(self.hangs).min(self.hangs);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a way says that carries segments of `limit` bytes.
    fn answers(sizes: &[u16], limit: u16) -> Vec<(u16, Held)> {
        sizes.iter().map(|size| (*size, if *size <= limit { Held::Works } else { Held::Hangs })).collect()
    }

    proptest! {
        #[test]
        fn every_limit_of_an_ethernet_path_is_found_to_the_byte_in_three_rounds(limit in Ask::SMALLEST_SEGMENT..1460) {
            let mut search = Search { works: Ask::SMALLEST_SEGMENT, hangs: 1460, full: 1460 };
            for _ in 0..3 {
                let sizes = search.next();
                prop_assert!(sizes.iter().all(|size| (search.works + 1..search.hangs).contains(size)), "{search:?}");
                search.learn(&answers(&sizes, limit));
            }
            prop_assert_eq!(search, Search { works: limit, hangs: limit + 1, full: 1460 });
        }

        #[test]
        fn the_limit_stays_between(limit in Ask::SMALLEST_SEGMENT..u16::MAX, heard in 0..12usize) {
            let mut search = Search { works: Ask::SMALLEST_SEGMENT, hangs: u16::MAX, full: u16::MAX };
            let mut told = answers(&search.next(), limit);
            told.truncate(heard);
            search.learn(&told);
            prop_assert!(search.works <= limit && limit < search.hangs);
        }
    }

    #[test]
    fn what_is_unclear_moves_nothing() {
        let mut search = Search { works: 600, hangs: 1400, full: 1460 };
        search.learn(&[(700, Held::Unclear), (900, Held::Unclear)]);
        assert_eq!(search, Search { works: 600, hangs: 1400, full: 1460 });
    }

    #[test]
    fn a_size_that_works_after_all_lets_the_search_go_on_above_it() {
        let mut search = Search { works: 900, hangs: 1000, full: 1460 };
        search.learn(&[(950, Held::Works), (1000, Held::Works)]);
        assert_eq!(search, Search { works: 1000, hangs: 1460, full: 1460 });
    }
}
