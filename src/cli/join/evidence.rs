//! What both sides saw of each other, put to the outcomes of both, which then become one list.

use std::net::{IpAddr, SocketAddr};

use super::Both;
use crate::diagnose::both::{self, Observed};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::flow::Role;
use crate::model::knock::Knocked;
use crate::model::run::{Outcome, Receipt};
use crate::model::sighting::{Sighting, Sightings};
use crate::sys;

/// What each side saw of the other, and where each is.
pub(super) struct Evidence<'a> {
    sides: &'a [Role],
    far: &'a Sightings,
    far_sides: &'a [Role],
    far_certificate: &'a str,
    /// The name or address by which the listener was found.
    name: &'a str,
    near: &'a Sightings,
    near_certificate: &'a str,
    /// The addresses of this side's probes as the listener may see them, the likeliest first.
    here: Vec<IpAddr>,
    /// The listener's.
    there: Vec<IpAddr>,
    /// Where the listener recognised this side's knocks, and this side the listener's.
    knocked: &'a [Knocked],
    heard: &'a [Knocked],
    through_proxy: bool,
    lost: Option<&'a str>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(both: &'a Both, far: &'a Sightings, near: &'a Sightings) -> Self {
        let channel = &both.channel;
        // A proxy's address is not this side's.
        let seen = (!channel.through_proxy).then_some(channel.welcome.your_address);
        let mut here: Vec<IpAddr> = both.introduced.iter().copied().chain(seen).collect();
        here.extend(sys::own_addresses().iter().map(IpAddr::to_canonical));
        Self {
            sides: both.sides,
            far,
            far_sides: &channel.welcome.sides,
            far_certificate: &channel.welcome.certificate,
            name: &channel.host,
            near,
            near_certificate: &both.shared.certificate.fingerprint,
            here,
            there: both.listener_addresses(),
            knocked: &both.knocked,
            heard: &both.heard,
            through_proxy: channel.through_proxy,
            lost: both.lost.as_deref(),
        }
    }

    /// Each side's outcomes with what the other saw, then one list.
    pub(super) fn judged(&self, mut own: Vec<Outcome>, mut theirs: Vec<Outcome>) -> Vec<Outcome> {
        let through = Proxied::of(&own, &self.far.receipts, Some(self.name));
        for outcome in own.iter_mut().filter(|outcome| went_to(outcome, self.far_sides, &self.there, &through)) {
            let here = with_knocks(outcome, self.knocked, &self.here);
            let prober = prober(outcome, &here, self.far, !self.through_proxy);
            let observed = Observed {
                prober,
                alone: self.far.alone,
                certificate: Some(self.far_certificate.to_owned()),
                governs: false,
                near: Some(self.near),
            };
            both::with_far_side(outcome, self.far, &observed);
        }
        let through = Proxied::of(&theirs, &self.near.receipts, None);
        for outcome in theirs.iter_mut().filter(|outcome| went_to(outcome, self.sides, &self.here, &through)) {
            let there = with_knocks(outcome, self.heard, &self.there);
            let prober = prober(outcome, &there, self.near, true);
            let observed = Observed {
                prober,
                alone: true,
                certificate: Some(self.near_certificate.to_owned()),
                governs: true,
                near: Some(self.far),
            };
            both::with_far_side(outcome, self.near, &observed);
        }
        let mut all = both::union(own, theirs);
        for outcome in all.iter_mut().filter(|outcome| outcome.tested_from.is_none()) {
            self.explain(outcome);
        }
        all
    }

    /// Says why a flow of the other side was not tested, where that is for the channel's sake.
    fn explain(&self, outcome: &mut Outcome) {
        if outcome.code != Code::NotTestableFromHere || !self.far_sides.contains(&outcome.from) {
            return;
        }
        let known = outcome.target.is_some() || self.sides.contains(&outcome.to);
        if let Some(why) = self.lost.filter(|_| known) {
            outcome.status = Status::Unknown;
            outcome.sentence = format!(
                "Opened by the {}, whose `bothways listen` was to test it, but the control channel was lost: {why}.",
                outcome.from
            );
        } else if self.through_proxy && self.sides.contains(&outcome.to) {
            let endpoint = if outcome.endpoint.is_empty() { outcome.to.as_str() } else { &outcome.endpoint };
            outcome.sentence = format!(
                "Opened by the {}, whose `bothways listen` does not know where this machine is, as the control channel came to \
                 it through a proxy: name it there, with --set {endpoint}.host=ADDRESS.",
                outcome.from
            );
        }
    }
}

/// Takes the ports out of what one side saw of strangers, on which none of those was the one who knocked.
pub(super) fn without_strangers(mut sightings: Sightings, knocked: &[Knocked]) -> Sightings {
    sightings.strangers.retain(|(transport, port)| {
        let mut here = knocked.iter().filter(|one| (one.transport, one.port) == (*transport, *port)).peekable();
        here.peek().is_none() || !here.all(Knocked::is_of_nobody)
    });
    sightings
}

/// The addresses that the prober may have, with the one from which it knocked on the flow's port.
fn with_knocks(outcome: &Outcome, knocked: &[Knocked], known: &[IpAddr]) -> Vec<IpAddr> {
    let over_v6 = outcome.ip(Fact::Address).is_some_and(|target| target.is_ipv6());
    let here = |one: &&Knocked| outcome.port.is_some_and(|port| one.is_at(outcome.transport, port, over_v6));
    known.iter().copied().chain(knocked.iter().filter(here).filter_map(|one| one.from)).collect()
}

/// The address of the prober as the far side saw it: of those that it may have, one of the right family, and best one that was
/// seen on the flow's port, from the very port that the probe spoke from.
///
/// `translated`: the first of them is what the other side saw on the control channel, which goes before this side's own view.
fn prober(outcome: &Outcome, candidates: &[IpAddr], far: &Sightings, translated: bool) -> IpAddr {
    let target = outcome.ip(Fact::Address);
    let local = outcome.ip(Fact::LocalAddress).filter(|local| !local.is_unspecified());
    let source = outcome.socket(Fact::LocalAddress).map(|local| local.port());
    let fits = |candidate: &&IpAddr| target.is_none_or(|target| target.is_ipv4() == candidate.is_ipv4());
    let on_port = |one: &Sighting| {
        one.transport == outcome.transport && outcome.port.is_none_or(|wanted| wanted == one.local.port())
    };
    let sighted =
        |candidate: IpAddr| far.sighted.iter().filter(move |one| one.remote.ip() == candidate && on_port(one));
    let exactly = |candidate: &&IpAddr| sighted(**candidate).any(|one| Some(one.remote.port()) == source);
    let seen = |candidate: &&IpAddr| {
        sighted(**candidate).next().is_some()
            || far.receipts.iter().any(|receipt| came(receipt, **candidate, outcome.port))
    };
    let fitting = || candidates.iter().filter(fits);
    let own = || fitting().find(|candidate| Some(**candidate) == local);
    let known = fitting().find(exactly).or_else(|| fitting().find(seen));
    let known = known.or_else(|| if translated { fitting().next() } else { own() });
    known.or_else(|| fitting().next()).copied().or(local).unwrap_or(IpAddr::from([0; 4]))
}

fn came(receipt: &Receipt, from: IpAddr, port: Option<u16>) -> bool {
    let parsed = |text: &str| text.parse::<SocketAddr>().ok();
    parsed(&receipt.source).is_some_and(|source| source.ip().to_canonical() == from)
        && parsed(&receipt.arrived_at).is_some_and(|at| port.is_none_or(|port| at.port() == port))
}

/// Whether a tested flow went to this very machine, straight or through a proxy: a role may have several.
fn went_to(outcome: &Outcome, roles: &[Role], machine: &[IpAddr], through: &Proxied) -> bool {
    if outcome.tested_from.is_none() || !roles.contains(&outcome.to) {
        return false;
    }
    if !outcome.facts.contains_key(Fact::Proxy.word()) {
        return outcome.ip(Fact::Address).is_some_and(|address| machine.contains(&address));
    }
    // What a proxy was asked for is known by its name, and whom it went to by the token.
    let Some(host) = outcome.host() else { return false };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    let token = outcome.text(Fact::Token);
    let came = through.receipts.iter().any(|receipt| receipt.token.is_some() && receipt.token.as_deref() == token);
    came || address.map_or_else(
        || through.name.is_some_and(|name| name.eq_ignore_ascii_case(host)) || through.alone.contains(&outcome.to),
        |address| machine.contains(&address),
    )
}

/// By what a flow through a proxy is known to be meant for a machine.
struct Proxied<'a> {
    /// What that machine received.
    receipts: &'a [Receipt],
    /// The name by which it was found.
    name: Option<&'a str>,
    /// Roles of which there is only one.
    alone: Vec<Role>,
}

impl<'a> Proxied<'a> {
    fn of(outcomes: &[Outcome], receipts: &'a [Receipt], name: Option<&'a str>) -> Self {
        let only = |role: &&Role| {
            let mut endpoints = outcomes.iter().filter(|one| one.to == **role).map(|one| &one.endpoint);
            let first = endpoints.next();
            endpoints.all(|endpoint| Some(endpoint) == first)
        };
        let alone = outcomes.iter().map(|outcome| &outcome.to).filter(only).cloned().collect();
        Self { receipts, name, alone }
    }
}
