//! With which time to live an answer to a connection request arrives: the kernel is told to ignore answers with less, and
//! the most at which it still comes is it.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::future::join_all;

use super::ask::{Brought, Limits, Packets, ask};
use crate::model::way::{Answered, Said};

/// How long an answer may take that has come before; longer where that was too short.
const PATIENCE: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1200)];
/// Where systems begin to count down.
const FIRSTS: [u8; 3] = [64, 128, 255];
/// How many routers the answer may have passed: asked together, and only then those beyond.
const PASSED: [RangeInclusive<u8>; 2] = [0..=5, 6..=16];

/// The answer of a port that accepts or refuses connections, and the time to live with which it arrives; nothing where the
/// port does not answer so, the system can't tell, or the answers don't agree.
pub(super) async fn measure(packets: &Packets) -> Option<Answered> {
    for patience in PATIENCE {
        let classes = ask_with(packets, &[1, FIRSTS[0] + 1, FIRSTS[1] + 1], patience).await;
        if classes.contains(&Brought::Unasked) {
            return None;
        }
        let Some(plain) = classes.first().copied().and_then(answer) else { continue };
        let Some(first) =
            classes.iter().rposition(|one| answer(*one) == Some(plain)).and_then(|class| FIRSTS.get(class))
        else {
            continue;
        };
        for passed in PASSED {
            let leasts: Vec<u8> = passed.map(|passed| first - passed).collect();
            let came: Vec<bool> =
                ask_with(packets, &leasts, patience).await.iter().map(|one| answer(*one) == Some(plain)).collect();
            let Some(nearest) = came.iter().position(|came| *came) else { continue };
            // One that is lost, or comes at random, must not make a distance.
            if came.iter().skip(nearest).all(|came| *came) {
                return Some(Answered { arrived: leasts.get(nearest).copied(), ..plain });
            }
            break;
        }
    }
    None
}

/// Whether no answer comes that has passed fewer routers: asked once more, and with time, before somebody is accused.
pub(super) async fn none_nearer(packets: &Packets, arrived: u8) -> bool {
    let Some(nearer) = arrived.checked_add(1) else { return true };
    ask_with(packets, &[nearer, nearer], PATIENCE[1]).await == [Brought::Nothing; 2]
}

/// What comes where only answers count that arrive with at least so much time to live.
async fn ask_with(packets: &Packets, leasts: &[u8], patience: Duration) -> Vec<Brought> {
    let one = |least: &u8| ask(packets, Limits { ttl: None, least: Some(*least) }, patience);
    join_all(leasts.iter().map(one)).await
}

/// A reset or an accept.
fn answer(brought: Brought) -> Option<Answered> {
    match brought {
        Brought::Answer(answered) if matches!(answered.said, Said::Accepted | Said::Refused) => Some(answered),
        _ => None,
    }
}
