//! Places that are taken and given back: so many in all, so many for one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A number of places.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    most_each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<IpAddr, usize>,
    /// Those that may be asked to leave, the oldest first.
    leaving: Vec<(IpAddr, Arc<Notify>)>,
}

/// A place that somebody has until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    room: Arc<Room>,
    address: IpAddr,
    /// Told when the place is needed for somebody else.
    leave: Option<Arc<Notify>>,
}

impl Room {
    pub(super) fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self { most, most_each, taken: Mutex::default() })
    }

    /// A place for this address, where there is one.
    pub(super) fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let by = taken.by.get(&address).copied().unwrap_or_default();
        if taken.all >= self.most || by >= self.most_each {
            return None;
        }
        taken.all += 1;
        taken.by.insert(address, by + 1);
        Some(Seat { room: Arc::clone(self), address, leave: None })
    }

    /// A place for this address, also where all are taken: the oldest of the address that has most must then leave. So whoever
    /// takes many places makes room for whoever needs one.
    pub(super) fn seat_for_a_while(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let by = taken.by.get(&address).copied().unwrap_or_default();
        if by >= self.most_each {
            return None;
        }
        if taken.all >= self.most {
            let crowd = taken.leaving.iter().map(|(one, _)| *one).max_by_key(|one| taken.by.get(one).copied())?;
            let oldest = taken.leaving.iter().position(|(one, _)| *one == crowd)?;
            let (_, leave) = taken.leaving.remove(oldest);
            leave.notify_one();
        }
        let leave = Arc::new(Notify::new());
        taken.all += 1;
        taken.by.insert(address, by + 1);
        taken.leaving.push((address, Arc::clone(&leave)));
        Some(Seat { room: Arc::clone(self), address, leave: Some(leave) })
    }

    /// How many places an address has.
    pub(super) fn taken_by(&self, address: IpAddr) -> usize {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.by.get(&address).copied().unwrap_or_default()
    }
}

impl Seat {
    /// Completes when the place is needed for somebody else.
    pub(super) async fn must_leave(&self) {
        match &self.leave {
            Some(leave) => leave.notified().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(own) = &self.leave {
            taken.leaving.retain(|(_, leave)| !Arc::ptr_eq(leave, own));
        }
        if let Some(by) = taken.by.get_mut(&self.address) {
            *by -= 1;
            if *by == 0 {
                taken.by.remove(&self.address);
            }
        }
    }
}

/// The address by which a stranger is counted: whoever has one of IPv6 commonly has the whole /64 network of it.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_one_address_and_come_back() {
        let room = Room::new(3, 2);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = room.seat(one).expect("a place");
        let _second = room.seat(one).expect("a place");
        assert!(room.seat(one).is_none());
        let _third = room.seat(other).expect("a place");
        assert!(room.seat(other).is_none());
        drop(first);
        assert!(room.seat(other).is_some());
        assert_eq!(room.taken.lock().expect("unpoisoned").by.len(), 2);
    }

    #[tokio::test]
    async fn where_all_places_are_taken_the_oldest_of_whoever_has_most_leaves() {
        let room = Room::new(3, 2);
        let [greedy, modest, late] = [1, 2, 3].map(|n| IpAddr::from([127, 0, 0, n]));
        let other = room.seat_for_a_while(modest).expect("a place");
        let first = room.seat_for_a_while(greedy).expect("a place");
        let second = room.seat_for_a_while(greedy).expect("a place");
        assert!(room.seat_for_a_while(greedy).is_none(), "it has as many as one address may have");
        let _new = room.seat_for_a_while(late).expect("a place");
        first.must_leave().await;
        for stays in [&second, &other] {
            assert!(futures_util::poll!(std::pin::pin!(stays.must_leave())).is_pending());
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_stranger() {
        let of = |text: &str| neighbourhood(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
