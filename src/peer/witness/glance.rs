//! Fresh looks for a side that is joined: they block, so they are taken apart from what else that side does.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{Tally, Witness};
use crate::model::flow::Transport;
use crate::model::knock::{Knock, Knocked};
use crate::model::sighting::{Means, Sighting};

/// What a fresh look shows of one peer.
#[derive(Debug, Default)]
pub struct Glance {
    pub sighted: Vec<Sighting>,
    /// With what was looked for it.
    pub means: Vec<Means>,
    /// The ports on which somebody asked that is not known.
    pub strangers: Vec<(Transport, u16)>,
}

/// A peer, and since when it is looked for.
pub struct Peer {
    pub addresses: Vec<IpAddr>,
    pub since: Instant,
    /// [`Witness::ended`] as it was then.
    pub ended: Tally,
}

impl Witness {
    /// Looks anew, unless somebody did since `asked`, for one peer; others are `known` besides. Empty where the look broke off.
    pub async fn glance(
        self: &Arc<Self>,
        asked: Instant,
        peer: Peer,
        known: impl Fn(IpAddr) -> bool + Send + 'static,
    ) -> Glance {
        let witness = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || {
            let Peer { addresses, since, ended } = peer;
            witness.look(asked);
            let sighted = witness.seen_since(since, &addresses, &ended);
            let strangers = witness.strangers_since(since, |ip| known(ip) || addresses.contains(&ip));
            Glance { sighted, means: witness.means_of(since, &addresses), strangers }
        });
        looked.await.unwrap_or_default()
    }

    /// Looks anew, unless somebody did since `asked`, from which unknown addresses the knocks came since then.
    pub async fn whose(
        self: &Arc<Self>,
        asked: Instant,
        knocks: Vec<Knock>,
        since: Instant,
        known: impl Fn(IpAddr) -> bool + Send + 'static,
    ) -> Vec<Knocked> {
        let witness = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || {
            witness.look(asked);
            witness.recognise(&knocks, since, known)
        });
        looked.await.unwrap_or_default()
    }
}
