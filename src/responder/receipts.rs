//! What arrived, in order, bounded in number and in bytes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::Limits;
use crate::model::probe::Protocol;
use crate::model::run::Receipt;
use crate::net::count::Counter;

/// Bytes that a receipt takes besides its texts.
const FIXED: usize = 256;

/// The receipts of all responders.
#[derive(Debug)]
pub struct Receipts {
    kept: Mutex<Kept>,
    /// Those of conversations that go on: one that hangs says most while it does.
    open: Mutex<Vec<Weak<Open>>>,
    started: Instant,
    most: Room,
}

/// A receipt of a conversation that goes on. However that ends, it is kept then.
#[derive(Debug)]
pub(super) struct Draft {
    open: Arc<Open>,
    receipts: Arc<Receipts>,
    cancelled: bool,
}

#[derive(Debug)]
struct Open {
    receipt: Mutex<Receipt>,
    /// What counts the bytes that come, and how many were others'.
    counter: Option<(Arc<Counter>, u64)>,
}

impl Open {
    fn now(&self) -> Receipt {
        let mut receipt = locked(&self.receipt).clone();
        if let Some((counter, earlier)) = &self.counter {
            receipt.received_bytes = counter.received().saturating_sub(*earlier);
        }
        receipt
    }
}

impl Draft {
    /// Notes what is known by now.
    pub(super) fn note(&self, fill: impl FnOnce(&mut Receipt)) {
        fill(&mut locked(&self.open.receipt));
    }

    /// Throws it away: another says more.
    pub(super) fn cancel(mut self) {
        self.cancelled = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.cancelled {
            self.receipts.keep(self.open.now());
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    list: Vec<Receipt>,
    all: Room,
    by: HashMap<IpAddr, Room>,
    missed: u64,
}

/// Receipts and their bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Room {
    receipts: usize,
    bytes: usize,
}

impl Room {
    fn with(self, bytes: usize) -> Self {
        Self { receipts: self.receipts + 1, bytes: self.bytes + bytes }
    }

    fn within(self, most: Self) -> bool {
        self.receipts <= most.receipts && self.bytes <= most.bytes
    }
}

impl Receipts {
    /// Times are counted from `started`.
    #[must_use]
    pub fn new(started: Instant, limits: &Limits) -> Self {
        let most = Room { receipts: limits.receipts, bytes: limits.receipt_bytes };
        Self { kept: Mutex::default(), open: Mutex::default(), started, most }
    }

    /// A receipt to fill in, with the time of now.
    pub(super) fn draft(self: &Arc<Self>, protocol: Protocol, source: SocketAddr, arrived_at: SocketAddr) -> Draft {
        self.opened(self.blank(protocol, source, arrived_at), None)
    }

    /// One whose bytes are counted from now on.
    pub(super) fn counting(
        self: &Arc<Self>,
        protocol: Protocol,
        (source, arrived_at): (SocketAddr, SocketAddr),
        counter: Arc<Counter>,
        earlier: u64,
    ) -> Draft {
        self.opened(self.blank(protocol, source, arrived_at), Some((counter, earlier)))
    }

    fn opened(self: &Arc<Self>, receipt: Receipt, counter: Option<(Arc<Counter>, u64)>) -> Draft {
        let open = Arc::new(Open { receipt: Mutex::new(receipt), counter });
        let mut others = locked(&self.open);
        // Cleared of those that have ended before it grows.
        if others.len() == others.capacity() {
            others.retain(|other| other.strong_count() > 0);
        }
        others.push(Arc::downgrade(&open));
        Draft { open, receipts: Arc::clone(self), cancelled: false }
    }

    fn blank(&self, protocol: Protocol, source: SocketAddr, arrived_at: SocketAddr) -> Receipt {
        Receipt {
            protocol: protocol.word().to_owned(),
            token: None,
            source: source.to_string(),
            arrived_at: arrived_at.to_string(),
            received_bytes: 0,
            sent_bytes: 0,
            unacknowledged: None,
            unsent: None,
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            asked: None,
            presented: None,
            headers: Vec::new(),
        }
    }

    /// Keeps a receipt, unless there is no room: one address fills half of it at most, so that others find some.
    fn keep(&self, receipt: Receipt) {
        let bytes = bytes_of(&receipt);
        let address = address_of(&receipt);
        let half = Room { receipts: self.most.receipts.div_ceil(2), bytes: self.most.bytes.div_ceil(2) };
        let mut kept = self.lock();
        let all = kept.all.with(bytes);
        let of_one = address.and_then(|address| kept.by.get(&address).copied()).unwrap_or_default().with(bytes);
        if !all.within(self.most) || !of_one.within(half) {
            kept.missed += 1;
            return;
        }
        kept.all = all;
        if let Some(address) = address {
            kept.by.insert(address, of_one);
        }
        kept.list.push(receipt);
    }

    /// Everything, of conversations that go on as well.
    #[must_use]
    pub fn all(&self) -> Vec<Receipt> {
        let going_on: Vec<Receipt> =
            locked(&self.open).iter().filter_map(Weak::upgrade).map(|open| open.now()).collect();
        self.lock().list.iter().cloned().chain(going_on).collect()
    }

    /// What came from these addresses since then.
    #[must_use]
    pub fn of(&self, addresses: &[IpAddr], since: Instant) -> Vec<Receipt> {
        let from = u64::try_from(since.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        let theirs = |receipt: &Receipt| {
            receipt.at_ms >= from && address_of(receipt).is_some_and(|address| addresses.contains(&address))
        };
        let open: Vec<Arc<Open>> = locked(&self.open).iter().filter_map(Weak::upgrade).collect();
        // Bytes without a token: a request that is just coming in, of which nothing can be said yet.
        let unread = |receipt: &Receipt| receipt.token.is_none() && receipt.received_bytes > 0;
        let going_on = open.iter().map(|open| open.now()).filter(|receipt| theirs(receipt) && !unread(receipt));
        let mut list: Vec<Receipt> = self.lock().list.iter().filter(|receipt| theirs(receipt)).cloned().collect();
        list.extend(going_on);
        list
    }

    /// What arrived from then on.
    #[must_use]
    pub fn since(&self, then: Instant) -> Vec<Receipt> {
        let from = u64::try_from(then.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        self.lock().list.iter().filter(|receipt| receipt.at_ms >= from).cloned().collect()
    }

    /// How many receipts found no room. Where there are any, a missing receipt proves nothing.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.lock().missed
    }

    /// Forgets what came from an address, to make room: its run is over.
    pub fn forget(&self, address: IpAddr) {
        let address = address.to_canonical();
        let mut kept = self.lock();
        kept.list.retain(|receipt| address_of(receipt) != Some(address));
        if let Some(freed) = kept.by.remove(&address) {
            kept.all.receipts -= freed.receipts;
            kept.all.bytes -= freed.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address_of(receipt: &Receipt) -> Option<IpAddr> {
    Some(receipt.source.parse::<SocketAddr>().ok()?.ip().to_canonical())
}

fn bytes_of(receipt: &Receipt) -> usize {
    let texts = [&receipt.token, &receipt.asked, &receipt.presented].into_iter().flatten().map(String::len);
    let headers = receipt.headers.iter().map(|(name, value)| name.len() + value.len());
    FIXED + texts.chain(headers).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipts(limits: Limits) -> (Arc<Receipts>, impl Fn(&Arc<Receipts>, u8)) {
        let from = |receipts: &Arc<Receipts>, n: u8| {
            let source = SocketAddr::from(([127, 0, 0, n], 40_000));
            drop(receipts.draft(Protocol::Tcp, source, source));
        };
        (Arc::new(Receipts::new(Instant::now(), &limits)), from)
    }

    #[test]
    fn one_address_fills_half_of_the_room_and_all_of_them_the_whole() {
        for limits in
            [Limits { receipts: 10, ..Limits::default() }, Limits { receipt_bytes: 10 * FIXED, ..Limits::default() }]
        {
            let (receipts, keep) = receipts(limits);
            (0..100).for_each(|_| keep(&receipts, 1));
            assert_eq!((receipts.all().len(), receipts.missed()), (5, 95));
            (2..100).for_each(|n| keep(&receipts, n));
            assert_eq!((receipts.all().len(), receipts.missed()), (10, 95 + 93));
        }
    }

    #[test]
    fn what_came_before_a_run_is_not_of_it() {
        let started = Instant::now().checked_sub(std::time::Duration::from_secs(60)).expect("a minute of uptime");
        let receipts = Arc::new(Receipts::new(started, &Limits::default()));
        let source = SocketAddr::from(([127, 0, 0, 1], 40_000));
        receipts.draft(Protocol::Tcp, source, source).note(|receipt| receipt.at_ms = 59_000);
        let joined = Instant::now();
        drop(receipts.draft(Protocol::SqlBrowser, source, source));
        let seen: Vec<String> = receipts.since(joined).into_iter().map(|receipt| receipt.protocol).collect();
        assert_eq!((seen, receipts.all().len()), (vec!["sql-browser".to_owned()], 2));
    }

    #[test]
    fn what_is_forgotten_makes_room() {
        let (receipts, keep) = receipts(Limits { receipts: 2, ..Limits::default() });
        keep(&receipts, 1);
        keep(&receipts, 2);
        receipts.forget([127, 0, 0, 1].into());
        keep(&receipts, 3);
        let sources: Vec<String> = receipts.all().into_iter().map(|receipt| receipt.source).collect();
        assert_eq!(sources, ["127.0.0.2:40000", "127.0.0.3:40000"]);
    }
}
