//! What every check of a run asks about ways, once for all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::time::sleep;

use super::ask::{Brought, Kind, Limits, Packets, ask};
use super::compare::{self, Compared};
use super::{arrival, sweep};
use crate::model::way::{Answered, Way};
use crate::sys;

/// The answers to the checks themselves come first: routers send only so many ICMP messages a second.
const AFTER_OTHERS: Duration = Duration::from_millis(100);
/// The system repeats a request after a second.
const REPEATED_AFTER: Duration = Duration::from_millis(1150);
/// No answer counts that has passed a router, or that begins with less than the most.
const DEAF: Limits = Limits { ttl: None, least: Some(255) };

/// The ways that a run has looked at.
#[derive(Default)]
pub struct Paths {
    swept: Mutex<HashMap<Packets, watch::Receiver<Swept>>>,
    arrivals: Mutex<HashMap<Packets, Arc<OnceCell<Option<Answered>>>>>,
    none_nearer: Mutex<HashMap<Packets, Arc<OnceCell<bool>>>>,
    next_to_here: Mutex<HashMap<Packets, Arc<OnceCell<Brought>>>>,
    refused_here: Mutex<HashMap<Packets, Arc<OnceCell<Brought>>>>,
    own: OnceLock<Vec<IpAddr>>,
    compared: Mutex<HashMap<Packets, Arc<OnceCell<Compared>>>>,
    answering: Mutex<Vec<Answering>>,
}

/// A port that answers connection requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answering {
    pub address: SocketAddr,
    pub accepts: bool,
}

/// What following one way has given so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Swept {
    pub way: Way,
    /// Whether this machine could not even send: known at the end, where nothing answered and the system counts it.
    pub kept_back: Option<bool>,
    ended: bool,
}

impl Paths {
    /// Whether an address is this machine's own.
    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.own.get_or_init(sys::own_addresses).contains(&ip)
    }

    /// A port accepted or refused a connection: something is there.
    pub fn answers(&self, address: SocketAddr, accepts: bool) {
        let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        match answering.iter_mut().find(|one| one.address == address) {
            Some(known) => known.accepts |= accepts,
            None => answering.push(Answering { address, accepts }),
        }
    }

    /// Another port of the same host that answers connection requests; best one that accepts them.
    pub(super) fn answering_beside(&self, target: SocketAddr) -> Option<Answering> {
        let answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = answering.iter().copied().filter(|one| one.address.ip() == target.ip());
        beside.filter(|one| one.address.port() != target.port()).max_by_key(|one| one.accepts)
    }

    /// Follows a way, or joins in where that is being done; `tell` learns of every answer at once.
    pub(super) async fn swept(&self, packets: &Packets, tell: impl Fn(&Way)) -> Swept {
        let mut progress = self.progress(packets);
        loop {
            let swept = progress.borrow_and_update().clone();
            tell(&swept.way);
            if swept.ended || progress.changed().await.is_err() {
                return swept;
            }
        }
    }

    fn progress(&self, packets: &Packets) -> watch::Receiver<Swept> {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = swept.get(packets) {
            return progress.clone();
        }
        let (tell, progress) = watch::channel(Swept::default());
        swept.insert(packets.clone(), progress.clone());
        let packets = packets.clone();
        // A task of its own: whoever asked first may be cut while others still wait.
        tokio::spawn(async move {
            sleep(AFTER_OTHERS).await;
            let (way, kept_back) =
                sweep::sweep(&packets, |way| tell.send_modify(|swept| swept.way = way.clone())).await;
            let silent = way == Way::default() && packets.kind == Kind::Tcp && sys::UNSEEN.is_empty();
            let kept_back = silent.then_some(kept_back);
            tell.send_modify(|swept| (swept.kept_back, swept.ended) = (kept_back, true));
        });
        progress
    }

    /// The answer of a port that accepts or refuses, and the time to live with which it arrives.
    pub(super) async fn arrival(&self, packets: &Packets) -> Option<Answered> {
        *once(&self.arrivals, packets).get_or_init(|| arrival::measure(packets)).await
    }

    /// Whether no answer of that port has passed fewer routers than the one that was measured.
    pub(super) async fn none_nearer(&self, packets: &Packets, measured: &Answered) -> bool {
        let Some(arrived) = measured.arrived else { return false };
        *once(&self.none_nearer, packets).get_or_init(|| arrival::none_nearer(packets, arrived)).await
    }

    /// The very port beside other packets to the same host.
    pub(super) async fn compared(&self, packets: &Packets, way: Way, other: &Packets, others: &Way) -> Compared {
        once(&self.compared, packets).get_or_init(|| compare::compare(packets, way, other, others)).await.clone()
    }

    /// What a further connection request to a port brings to which no router is on the way.
    pub(super) async fn next_to_here(&self, packets: &Packets) -> Brought {
        *once(&self.next_to_here, packets).get_or_init(|| asked_again(packets, Limits::default())).await
    }

    /// What connection requests bring that ignore a refusal: where they fail to be sent again, it is this machine itself that
    /// refuses.
    pub(super) async fn refused_here(&self, packets: &Packets) -> Brought {
        *once(&self.refused_here, packets).get_or_init(|| asked_again(packets, DEAF)).await
    }
}

/// What one connection request brings that has the time to be sent again.
async fn asked_again(packets: &Packets, limits: Limits) -> Brought {
    if packets.kind == Kind::Tcp { ask(packets, limits, REPEATED_AFTER).await } else { Brought::Unasked }
}

fn once<K: Clone + Eq + Hash, V>(cells: &Mutex<HashMap<K, Arc<OnceCell<V>>>>, key: &K) -> Arc<OnceCell<V>> {
    let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(cells.entry(key.clone()).or_default())
}
