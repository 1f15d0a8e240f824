//! With which time to live an answer to a connection request arrives: the kernel is told to ignore answers with less, and
//! the most at which it still comes is it.

use std::time::Duration;

use futures_util::future::join_all;

use super::ask::{Brought, Limits, Packets, ask};
use crate::model::way::{Answered, Said};

/// How long an answer may take that has come before.
const PATIENCE: Duration = Duration::from_millis(500);
/// Where systems begin to count down.
const FIRSTS: [u8; 3] = [64, 128, 255];
/// How many routers' difference is asked for.
const FARTHEST: u8 = 16;

/// The answer of a port that accepts or refuses connections, and the time to live with which it arrives; nothing where the
/// port does not answer so, the system can't tell, or the answers don't agree.
pub(super) async fn measure(packets: &Packets) -> Option<Answered> {
    let limits = |least| Limits { ttl: None, least: Some(least) };
    let classes = join_all([1, 65, 129].map(|least| ask(packets, limits(least), PATIENCE))).await;
    let plain = answer(*classes.first()?)?;
    let same = |brought: &Brought| answer(*brought).is_some_and(|one| one.said == plain.said);
    let class = classes.iter().rposition(same)?;
    let first = *FIRSTS.get(class)?;
    let leasts: Vec<u8> = (first - FARTHEST..=first).collect();
    let answers = join_all(leasts.iter().map(|least| ask(packets, limits(*least), PATIENCE))).await;
    let came: Vec<bool> = answers.iter().map(same).collect();
    let most = came.iter().rposition(|came| *came)?;
    // One that is lost, or comes at random, must not make a distance.
    let steady = came.get(..most)?.iter().all(|came| *came);
    steady.then(|| Answered { ttl: None, arrived: leasts.get(most).copied(), ..plain })
}

/// A reset or an accept.
fn answer(brought: Brought) -> Option<Answered> {
    match brought {
        Brought::Answer(answered) if matches!(answered.said, Said::Accepted | Said::Refused) => Some(answered),
        _ => None,
    }
}
