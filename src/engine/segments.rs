//! Holds a conversation that hangs once more, with smaller TCP segments: where it works with them and hangs with full ones
//! beside them, the way loses large packets, and the largest that passes is searched for.
//!
//! All conversations of a comparison ask the same, and differ in nothing but the size of their segments. Whether larger
//! ones hang is told by one that is known to work and goes on beside them: they get twice its time, and more where it is quick.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, sleep_until};

use super::filled::{ETHERNET, filled};
use super::held::{Enough, Held, held, is_datagram, lost_by_chance, weight};
use super::look::connect_again;
use super::sizes::Search;
use crate::diagnose::looks::headers;
use crate::model::ask::Ask;
use crate::model::evidence::{Evidence, Failure};
use crate::model::fact::Fact;
use crate::model::probe::{Probe, Tftp, TftpRead};
use crate::model::token::Token;
use crate::net::trace::Trace;
use crate::net::{Net, path};

/// The most rounds: four find the very byte below the size of an Ethernet packet, more go on where one was misled.
const MOST_ROUNDS: u8 = 8;
/// The rounds before anything is told.
const LEAST_ROUNDS: u8 = 2;
/// What a conversation may take at the least beyond the time of one that works: a lost packet is sent again well within it.
const GRACE: Duration = Duration::from_millis(400);
/// A conversation that takes longer is held with somebody far away or busy: that another is late with its answer says less.
const QUICK: Duration = Duration::from_millis(250);
/// How often is looked whether all was acknowledged.
const NOTICE: Duration = Duration::from_millis(20);

/// Finds out whether smaller packets make the conversation work, and publishes the largest packet with which it does.
pub(super) async fn measure(ask: &Ask, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let enough = Enough::Answered;
    let Some(knob) = Knob::of(ask, seen).filter(|knob| knob.full > knob.smallest) else { return };
    let again = Again { ask: light(ask, knob.full), address, net, aside: trace.fork(), enough };
    // A server that hangs is asked for no more than one small answer.
    if again.round(knob.smallest, &[]).await.is_some() {
        again.compare(knob, seen, trace).await;
    }
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
    let enough = Enough::of_filled(ask, seen);
    let Some(ask) = filled(ask, address, seen) else { return };
    let took: Duration = seen.steps.iter().map(|step| Duration::from_micros(step.took_ms.0)).sum();
    let aside = trace.fork();
    let again = Again { ask, address, net, aside: trace.fork(), enough };
    let ask = &again.ask;
    let asking = pin!(again.converse(ask, &aside));
    let asking = match select(asking, pin!(sleep(took * 2 + GRACE))).await {
        Either::Left(_) => return tell(again.held_full(&aside.finish(Failure::TimedOut)), trace),
        Either::Right(((), asking)) => asking,
    };
    let so_far = aside.so_far(Failure::TimedOut);
    let asking = async {
        tokio::select! {
            () = asking => {}
            () = tell_doubt(&aside, trace) => {}
        }
        // A server that has waited for the rest of it in vain may end it, or say so: that settles nothing.
        let ended = again.held_full(&aside.finish(Failure::TimedOut));
        if ended != Held::Hangs {
            tell(ended, trace);
            return;
        }
        std::future::pending::<()>().await;
    };
    let looking = async {
        let (passes, ()) = tokio::join!(measure_filled(&again, &so_far, trace), async {
            if !is_datagram(&so_far) {
                connect_again(ask, address, &so_far, trace).await;
            }
        });
        match passes {
            Some(true) => tell(Held::Works, trace),
            Some(false) => {}
            None => std::future::pending().await,
        }
    };
    select(pin!(asking), pin!(looking)).await;
}

/// Tells, as long as it hangs, that it does: the time may be up at any moment.
async fn tell_doubt(asked: &Trace, trace: &Trace) {
    loop {
        let so_far = asked.so_far(Failure::TimedOut);
        // A datagram that is not answered has no connection to show that it was asked.
        if held(&so_far, false) == Held::Hangs || is_datagram(&so_far) {
            tell(Held::Hangs, trace);
            tell_acknowledged(&so_far, trace);
        }
        sleep(NOTICE * 10).await;
    }
}

async fn measure_filled(again: &Again<'_>, seen: &Evidence, trace: &Trace) -> Option<bool> {
    let knob = Knob::of(&again.ask, seen).filter(|knob| knob.full > knob.smallest)?;
    again.compare(knob, seen, trace).await
}

fn tell(held: Held, trace: &Trace) {
    match held {
        Held::Works | Held::Hangs => trace.fact(Fact::FullPackets, held == Held::Works),
        Held::Unclear => trace.withdraw(Fact::FullPackets),
    }
}

/// What tells which half is lost.
fn tell_acknowledged(evidence: &Evidence, trace: &Trace) {
    if let Some(bytes) = evidence.number(Fact::Unacknowledged) {
        trace.fact(Fact::Unacknowledged, bytes);
    }
}

fn tell_limit(search: &Search, headers: u64, trace: &Trace) {
    if let Some(lost) = search.lost() {
        trace.fact(Fact::LargestPacket, u64::from(search.works()) + headers);
        trace.fact(Fact::LostPacket, u64::from(lost) + headers);
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

/// One of several conversations that went on at the same time.
struct Tried {
    size: u16,
    held: Held,
    /// How much its silence says.
    weight: u8,
}

/// The conversation that is held again.
struct Again<'a> {
    ask: Ask,
    address: SocketAddr,
    net: &'a Net,
    aside: Trace,
    enough: Enough,
}

impl Again<'_> {
    /// Compares small packets with full ones, and publishes the limit, nearer and nearer, once it is sure that there is one.
    /// Tells whether full ones pass, where that was found out.
    async fn compare(&self, knob: Knob, seen: &Evidence, trace: &Trace) -> Option<bool> {
        let headers = headers(&self.ask, self.address);
        let mut search = Search::between(knob.smallest, knob.full);
        let mut rounds = 0;
        // What one comparison says may be chance.
        while search.lost().is_none() || rounds < LEAST_ROUNDS {
            let sizes = search.next();
            rounds += 1;
            if sizes.is_empty() && search.lost().is_none() {
                return Some(true);
            }
            if rounds > MOST_ROUNDS || !self.look(&mut search, &sizes).await {
                return None;
            }
        }
        tell_limit(&search, headers, trace);
        tokio::join!(self.narrow(search, rounds, headers, trace), async {
            // Where all that this side sent was acknowledged, the way there is not the one to look at.
            if seen.number(Fact::Unacknowledged).is_some_and(|bytes| bytes > 0)
                && let Some(view) = path::View::new(&self.ask, self.address, &self.net.paths, trace)
            {
                view.follow_large(usize::from(knob.full) + usize::try_from(headers).unwrap_or_default()).await;
            }
        });
        Some(false)
    }

    /// Comes nearer to the limit, round by round.
    async fn narrow(&self, mut search: Search, made: u8, headers: u64, trace: &Trace) {
        for _ in made..MOST_ROUNDS {
            let sizes = search.next();
            if sizes.is_empty() || !self.look(&mut search, &sizes).await {
                return;
            }
            tell_limit(&search, headers, trace);
        }
    }

    /// Holds it with each of these sizes and takes what becomes of them in; false where not even one that works does.
    async fn look(&self, search: &mut Search, sizes: &[u16]) -> bool {
        let Some(tried) = self.round(search.works(), sizes).await else { return false };
        for one in tried.iter().filter(|one| one.held == Held::Works) {
            search.answered(one.size);
        }
        for one in tried.iter().filter(|one| one.held == Held::Hangs) {
            search.unanswered(one.size, one.weight);
        }
        true
    }

    /// Holds it with each of these sizes and, to know how long it takes, with one that works; nothing where that one does not.
    async fn round(&self, works: u16, sizes: &[u16]) -> Option<Vec<Tried>> {
        let begun = Instant::now();
        // The largest first: a busy server is late with the smallest then, and one that answers those overtakes what hangs.
        let all: Vec<(u16, Trace)> =
            std::iter::once(&works).chain(sizes.iter().rev()).map(|size| (*size, self.aside.fork())).collect();
        let mut running: FuturesUnordered<_> =
            all.iter().enumerate().map(|(index, (size, trace))| self.hold(index, *size, trace)).collect();
        let mut ended = vec![false; all.len()];
        let mut took: Option<Duration> = None;
        loop {
            let until = took.map(|took| begun + took + took.max(GRACE));
            tokio::select! {
                next = running.next() => {
                    let Some(index) = next else { break };
                    ended[index] = true;
                    if index == 0 {
                        took = Some(begun.elapsed());
                    }
                }
                () = sleep_until(until.unwrap_or(begun)), if until.is_some() => break,
            }
        }
        drop(running);
        let quick = took.is_some_and(|took| took < QUICK);
        let seen: Vec<Evidence> = all.iter().map(|(_, trace)| trace.finish(Failure::TimedOut)).collect();
        let held = |index: usize| self.held(&seen[index], ended[index]);
        let by_chance = seen.iter().enumerate().any(|(index, one)| lost_by_chance(one, held(index)));
        if held(0) != Held::Works {
            return None;
        }
        let mut tried: Vec<Tried> = all
            .iter()
            .enumerate()
            .skip(1)
            .map(|(index, (size, _))| Tried { size: *size, held: held(index), weight: weight(&seen[index], quick) })
            .collect();
        let overtook = tried.iter().filter(|one| one.held == Held::Works).map(|one| one.size).min();
        for one in &mut tried {
            if by_chance {
                one.weight = 0;
            } else if overtook.is_some_and(|smaller| smaller < one.size) {
                one.weight = Search::SURE;
            }
        }
        Some(tried)
    }

    async fn hold(&self, index: usize, size: u16, trace: &Trace) -> usize {
        self.converse(&Knob::turned(&self.ask, size), trace).await;
        index
    }

    /// Asks until it is enough. How it ended is in the trace.
    async fn converse(&self, ask: &Ask, trace: &Trace) {
        let enough = async {
            loop {
                sleep(NOTICE).await;
                if self.enough.met(&trace.so_far(Failure::TimedOut)) {
                    return;
                }
            }
        };
        match self.enough {
            Enough::Answered => drop(crate::probe::run(ask, self.address, self.net, trace).await),
            Enough::Acknowledged(_) => {
                drop(select(crate::probe::run(ask, self.address, self.net, trace), pin!(enough)).await);
            }
        }
    }

    fn held(&self, evidence: &Evidence, ended: bool) -> Held {
        if ended && self.enough.met(evidence) { Held::Works } else { held(evidence, ended) }
    }

    /// How a conversation ended that was to fill packets: a server that gives smaller blocks than it is asked for has not.
    fn held_full(&self, evidence: &Evidence) -> Held {
        let filled = match &self.ask.probe {
            Probe::Tftp(tftp) => evidence.number(Fact::FileRead) >= tftp.asked_block().map(u64::from),
            _ => true,
        };
        if filled { self.held(evidence, true) } else { Held::Unclear }
    }
}
