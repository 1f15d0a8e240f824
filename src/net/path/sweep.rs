//! Packets with rising time to live, a few at a time, until one arrives or nothing more answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep;

use super::ask::{Brought, Limits, Packets, ask};
use crate::model::way::{Passed, Way};

/// How long one packet may take to be answered. The system repeats a connection request after a second: routers send only
/// so many ICMP messages a second, and the one that was left out may come then.
pub(super) const PATIENCE: Duration = Duration::from_millis(1300);
/// Packets that are on their way at the same time; also how many devices in a row may be silent.
const AT_ONCE: u8 = 5;
/// How much later each of them is sent than the one before it.
const PACE: Duration = Duration::from_millis(25);
/// The farthest device that is asked.
const FARTHEST: u8 = 25;

/// Follows the way; `tell` learns of every answer at once. Also whether this machine itself kept packets back.
pub(super) async fn sweep(packets: &Packets, tell: impl Fn(&Way)) -> (Way, bool) {
    let (mut way, mut kept_back) = (Way::default(), false);
    for first in (1..=FARTHEST).step_by(usize::from(AT_ONCE)) {
        let last = first + AT_ONCE - 1;
        let note = |brought: Brought| kept_back |= brought == Brought::KeptBack;
        if !batch(packets, (first, last), &mut way, &tell, note).await {
            break;
        }
    }
    (way, kept_back)
}

/// Asks the devices from `first` to `last`; `note` learns what each packet brings. Whether those beyond should be asked too.
async fn batch(
    packets: &Packets,
    (first, last): (u8, u8),
    way: &mut Way,
    tell: &impl Fn(&Way),
    mut note: impl FnMut(Brought),
) -> bool {
    let answered = &AtomicBool::new(false);
    let one = |ttl: u8| async move {
        sleep(PACE * u32::from(ttl - first)).await;
        // Nearby answers come before the next packet is due: whoever is behind them need not be asked.
        if answered.load(Ordering::Relaxed) {
            return (ttl, Brought::Nothing);
        }
        (ttl, ask(packets, Limits { ttl: Some(ttl), least: None }, PATIENCE).await)
    };
    let mut waiting: FuturesUnordered<_> = (first..=last).map(one).collect();
    let mut open: Vec<u8> = (first..=last).collect();
    while let Some((ttl, brought)) = waiting.next().await {
        answered.fetch_or(matches!(brought, Brought::Answer(_)), Ordering::Relaxed);
        open.retain(|waiting| *waiting != ttl);
        note(brought);
        if add(way, ttl, brought) {
            tell(way);
        }
        let end = way.end.and_then(|end| end.ttl);
        if end.is_some_and(|end| open.iter().all(|waiting| *waiting > end)) {
            return false;
        }
    }
    way.end.is_none() && way.last().is_some_and(|hop| hop.ttl > first)
}

/// Whether it says something new.
pub(super) fn add(way: &mut Way, ttl: u8, brought: Brought) -> bool {
    match brought {
        Brought::TimeUp { by, arrived } if way.at(ttl).is_none() => {
            let place = way.hops.partition_point(|hop| hop.ttl < ttl);
            way.hops.insert(place, Passed { ttl, address: by, arrived });
            true
        }
        Brought::Answer(answered) if way.end.and_then(|end| end.ttl).is_none_or(|known| ttl < known) => {
            way.end = Some(answered);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::way::{Answered, Said};

    fn accepted(ttl: u8) -> Brought {
        Brought::Answer(Answered { ttl: Some(ttl), said: Said::Accepted, arrived: None, icmp: None })
    }

    #[test]
    fn devices_are_kept_in_their_order_and_the_nearest_answer_counts() {
        let up = |by: &str| Brought::TimeUp { by: by.parse().expect("an address"), arrived: None };
        let mut way = Way::default();
        assert!(add(&mut way, 3, up("10.0.0.3")) && add(&mut way, 1, up("10.0.0.1")));
        assert!(add(&mut way, 5, accepted(5)) && add(&mut way, 4, accepted(4)));
        assert!(!add(&mut way, 5, accepted(5)) && !add(&mut way, 2, Brought::Nothing));
        assert_eq!(way.hops.iter().map(|hop| hop.ttl).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(way.end.and_then(|end| end.ttl), Some(4));
    }
}
