//! What was seen of one probe below any program: by the far side, and by the prober's own machine.

use std::net::{IpAddr, SocketAddr};

use super::ties::address;
use crate::model::evidence::Icmp;
use crate::model::fact::Fact;
use crate::model::flow::Transport;
use crate::model::run::Outcome;
use crate::model::sighting::{Means, Sighting, SightingKind, Sightings};

/// What the far side saw of the prober on the outcome's port.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an observation of its own, and every mixture can be")]
pub(super) struct Trail {
    pub request_in: bool,
    pub reply_out: bool,
    /// That host has no route back to where the request came from.
    pub no_way_back: bool,
    pub half_open: bool,
    /// A refusal of the request left that host.
    pub refusal_out: bool,
    /// The answer was refused, by a reset or by an ICMP message.
    pub reply_refused: bool,
    /// That message.
    pub reply_rejected_by: Option<Icmp>,
    /// Counters tell of half-open connections that were ended; of whom, they don't tell.
    pub ended: bool,
    /// Somebody else was seen on the same port: after address translation that may have been the prober.
    pub strangers: bool,
    /// Where the request came from, where that is known to be this very probe's.
    pub seen_as: Option<SocketAddr>,
    /// What was seen may be of another probe of the same prober to the same port.
    pub vague: bool,
}

impl Trail {
    /// Whether anything of the prober reached the host.
    pub(super) fn arrived(&self) -> bool {
        self.request_in || self.half_open
    }

    pub(super) fn of(outcome: &Outcome, far: &Sightings, prober: IpAddr) -> Self {
        let Some(port) = outcome.port else { return Self::default() };
        let from_prober = |seen: &Sighting| seen.remote.ip().to_canonical() == prober.to_canonical();
        let same = far.sighted.iter().filter(|seen| seen.transport == outcome.transport && is_of_peer(seen.kind));
        let (own, others): (Vec<&Sighting>, Vec<&Sighting>) = same.partition(|seen| from_prober(seen));
        let source = source_port(outcome);
        let exact: Vec<&Sighting> =
            own.iter().copied().filter(|seen| Some(seen.remote.port()) == source && here(seen, port)).collect();
        let seen_as = exact.first().map(|seen| seen.remote);
        let vague = exact.is_empty() && source.is_some();
        let on_port: Vec<&Sighting> =
            if exact.is_empty() { own.iter().copied().filter(|seen| here(seen, port)).collect() } else { exact };
        let asked_from: Vec<SocketAddr> = on_port.iter().map(|seen| seen.remote).collect();
        // A TFTP server answers from another port than the one that was asked.
        let answers = |seen: &&Sighting| {
            seen.kind == SightingKind::ReplyOut
                && (asked_from.contains(&seen.remote) && (here(seen, port) || outcome.transport == Transport::Udp))
        };
        let has = |kind| on_port.iter().any(|seen| seen.kind == kind);
        let any_port = |seen: &&Sighting| [0, port].contains(&seen.local.port());
        Self {
            request_in: has(SightingKind::RequestIn),
            reply_out: own.iter().any(answers),
            no_way_back: has(SightingKind::NoWayBack),
            half_open: has(SightingKind::HalfOpen),
            refusal_out: has(SightingKind::RefusalOut),
            reply_refused: has(SightingKind::ReplyRefused),
            reply_rejected_by: rejected_by(&on_port),
            // The counters know no address: that of the peer's channel stands there, which may be of the other family.
            ended: far.sighted.iter().any(|seen| seen.kind == SightingKind::HalfOpenEnded && any_port(&seen)),
            strangers: others.iter().any(|seen| here(seen, port)) || far.strangers.contains(&(outcome.transport, port)),
            seen_as,
            vague,
        }
    }
}

fn rejected_by(seen: &[&Sighting]) -> Option<Icmp> {
    seen.iter().filter(|seen| seen.kind == SightingKind::ReplyRefused).find_map(|seen| seen.icmp)
}

fn is_of_peer(kind: SightingKind) -> bool {
    !matches!(kind, SightingKind::RequestOut | SightingKind::ReplyIn)
}

fn here(seen: &Sighting, port: u16) -> bool {
    seen.local.port() == port && seen.kind != SightingKind::HalfOpenEnded
}

/// What the prober's own machine saw of the probe's packets, outside its own firewall.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Whether the request left it; nothing where that was not watched.
    pub left: Option<bool>,
    /// The answer came as far as its interface, while it was waited for.
    pub came_back: bool,
    /// The answer came when nobody waited for it any more.
    pub late: bool,
}

impl Own {
    pub(super) fn of(outcome: &Outcome, near: &Sightings) -> Self {
        let target = outcome.ip(Fact::Address);
        let (Some(target), Some(source)) = (target, source_port(outcome)) else { return Self::default() };
        if !near.looked_with(Means::Packets) || !near.probed.iter().any(|probed| probed.to_canonical() == target) {
            return Self::default();
        }
        let is_it = |seen: &&Sighting| {
            let remote = SocketAddr::new(seen.remote.ip().to_canonical(), seen.remote.port());
            // An answer of UDP may come from another port than the one that was asked.
            let same_port = outcome.transport == Transport::Udp || Some(remote.port()) == outcome.port;
            seen.transport == outcome.transport && remote.ip() == target && same_port && seen.local.port() == source
        };
        let first =
            |kind| near.sighted.iter().filter(is_it).filter(|seen| seen.kind == kind).map(|seen| seen.at_ms).min();
        let (left, back) = (first(SightingKind::RequestOut), first(SightingKind::ReplyIn));
        let waited = outcome.steps.iter().rev().find(|step| step.error.is_some()).map(|step| step.took_ms.0 / 1000);
        let took = left.zip(back).map(|(left, back)| back.saturating_sub(left));
        let late = took.zip(waited).is_some_and(|(took, waited)| took > waited);
        Self { left: Some(left.is_some()), came_back: back.is_some() && !late, late }
    }
}

fn source_port(outcome: &Outcome) -> Option<u16> {
    outcome.text(Fact::LocalAddress).and_then(address).map(|local| local.port())
}
