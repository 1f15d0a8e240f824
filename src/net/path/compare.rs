//! Packets to the very port beside other packets to the same host: a device's silence counts where it answers those.

use std::time::Duration;

use tokio::time::sleep;

use super::ask::{Brought, Limits, Packets, ask};
use super::{distance, sweep};
use crate::model::way::{Passed, Said, Way};

/// How often is asked; a router has one ICMP message a second for this machine, once it has sent a few.
const ROUNDS: u8 = 4;
/// How long one question may take.
const ROUND: Duration = Duration::from_millis(700);
/// How much earlier the very port is asked: where the router has only one answer left, it is for that one.
const HEAD_START: Duration = Duration::from_millis(25);
/// The system repeats a connection request after a second.
const REPEATED_AFTER: Duration = Duration::from_millis(1150);

/// What the comparison gives.
#[derive(Debug, Clone, Default)]
pub(super) struct Compared {
    /// The way of the very port, with what was learned besides.
    pub way: Way,
    /// The device that answers other packets and not those to the port.
    pub vanishes_before: Option<Passed>,
}

/// Follows the very port further where other packets came further.
pub(super) async fn compare(packets: &Packets, mut way: Way, other: &Packets, others: &Way) -> Compared {
    for _ in 0..ROUNDS {
        // Those between, if any, answer nobody.
        let Some(next) = beyond(&way, others).filter(|_| way.end.is_none()) else { break };
        let (very, answers_other) = both(packets, other, next.ttl).await;
        if !sweep::add(&mut way, next.ttl, very) && answers_other {
            return Compared { way, vanishes_before: Some(*next) };
        }
    }
    let rejects_others = others.end.is_some_and(|end| end.said == Said::Rejected);
    for _ in 0..ROUNDS {
        if way.end.is_some() || !rejects_others || beyond(&way, others).is_some() {
            break;
        }
        // Who rejects other packets may reject these, and have had no message left to say so.
        if let Brought::Answer(answered) = ask(packets, Limits::default(), REPEATED_AFTER).await {
            way.end = Some(answered);
        }
    }
    Compared { way, vanishes_before: None }
}

/// The nearest device that answers other packets from beyond those that answer the port's.
fn beyond<'a>(way: &Way, others: &'a Way) -> Option<&'a Passed> {
    others.hops.iter().find(|hop| hop.ttl > distance(way))
}

/// What the very port brings at this distance, and whether the device there answers the other packet sent beside it.
async fn both(packets: &Packets, other: &Packets, ttl: u8) -> (Brought, bool) {
    let limits = Limits { ttl: Some(ttl), least: None };
    let beside = async {
        sleep(HEAD_START).await;
        ask(other, limits, ROUND).await
    };
    let (very, beside) = tokio::join!(ask(packets, limits, ROUND), beside);
    (very, matches!(beside, Brought::TimeUp { .. }))
}
