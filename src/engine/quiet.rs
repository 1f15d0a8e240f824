//! Asks once more, when everything else has ended, what met silence while other flows to the same host were rejected in words,
//! and hosts that were silent while a device said of another that it can't be reached.
//!
//! Devices send only so many ICMP messages a second, and many flows at once use them up. Linux counts two for a packet that
//! a route of its own turns away, and earns one a second: with pauses longer than that, every port gets its own.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep;

use super::attempt::Attempt;
use super::runner;
use crate::diagnose::judge::{self, Case};
use crate::model::code::Code;
use crate::model::evidence::{Evidence, Facts, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::flow::Transport;
use crate::model::run::{Hop, Outcome};
use crate::model::way::Way;
use crate::net::Net;
use crate::net::path::View;
use crate::net::trace::Trace;
use crate::plan::PlannedProbe;

/// The silence before each question.
const PAUSE: Duration = Duration::from_millis(2100);
/// The silence between questions to different hosts, each of which costs a message or two.
const BETWEEN_HOSTS: Duration = Duration::from_millis(1100);
/// Until when questions are asked.
const LONGEST: Duration = Duration::from_secs(10);
/// How long the answer to a single question may take: the system repeats a connection request after a second.
const AT_ONCE: Duration = Duration::from_millis(900);
/// The last router asks three times, a second apart, for a host on its own network before it says that it can't be reached.
const NEIGHBOUR_MISSED: Duration = Duration::from_millis(3600);

/// Asks, and judges again what is then rejected. The outcomes begin with those of the probes, in their order.
pub(super) async fn ask_again(probes: &[PlannedProbe], outcomes: &mut [Outcome], net: &Net) {
    let mut due = Duration::ZERO;
    let mut asking = FuturesUnordered::new();
    for place in silent_places(outcomes) {
        due += if place.beside_rejections || due.is_zero() { PAUSE } else { BETWEEN_HOSTS };
        if due > LONGEST {
            break;
        }
        asking.push(async move {
            sleep(due).await;
            let facts = rejected(&place, probes, net).await;
            (place, facts)
        });
    }
    while let Some((place, facts)) = asking.next().await {
        let Some(facts) = facts else { continue };
        let mut judge = |at: usize, address| {
            let (planned, outcome) = (probes.get(at)?, outcomes.get_mut(at)?);
            judge_again(planned, address, &facts, outcome);
            Some(outcome.code)
        };
        let codes: Vec<_> = place.flows.iter().map(|at| judge(*at, place.address)).collect();
        // That a host can't be reached holds for all its ports.
        if codes.contains(&Some(Code::Unreachable)) {
            for (at, address) in &place.other_ports {
                judge(*at, *address);
            }
        }
    }
}

/// A port that was silent to these flows.
struct Place {
    address: SocketAddr,
    transport: Transport,
    flows: Vec<usize>,
    /// Flows to further ports of a host that may be missing.
    other_ports: Vec<(usize, SocketAddr)>,
    /// Other flows to the same host were rejected; else it is another host of which a device spoke.
    beside_rejections: bool,
}

/// Every port of hosts of which others are rejected, then one of each host that may be missing like another.
fn silent_places(outcomes: &[Outcome]) -> Vec<Place> {
    let rejecting: Vec<IpAddr> = outcomes.iter().filter(|one| is_rejected(one)).filter_map(only_ip).collect();
    let mut places: Vec<Place> = Vec::new();
    for (at, outcome) in outcomes.iter().enumerate().filter(|(_, outcome)| is_silent(outcome)) {
        let Some(address) = only_address(outcome) else { continue };
        let beside_rejections = rejecting.contains(&address.ip());
        if !beside_rejections && !may_be_missing(outcome, address.ip(), outcomes) {
            continue;
        }
        let same_port = |one: &Place| one.address == address && one.transport == outcome.transport;
        let same_host = |one: &Place| !beside_rejections && one.address.ip() == address.ip();
        if let Some(place) = places.iter_mut().find(|one| same_port(one)) {
            place.flows.push(at);
        } else if let Some(place) = places.iter_mut().find(|one| same_host(one)) {
            place.other_ports.push((at, address));
        } else {
            let (flows, other_ports) = (vec![at], Vec::new());
            places.push(Place { address, transport: outcome.transport, flows, other_ports, beside_rejections });
        }
    }
    places.sort_by_key(|place| !place.beside_rejections);
    places
}

/// Whether a host that was silent altogether may be one of several that are missing: it is no nearer than one of which a device
/// says that it can't be reached, or is silent behind the same device as another one.
fn may_be_missing(silent: &Outcome, ip: IpAddr, outcomes: &[Outcome]) -> bool {
    let (own, is_another) = (silent.path.last_hop, |one: &Outcome| only_ip(one).is_some_and(|other| other != ip));
    let as_far = |hop: Hop| own.is_none_or(|own| own.ttl <= hop.ttl);
    let missing =
        |one: &Outcome| one.code == Code::Unreachable && is_rejected(one) && one.path.last_hop.is_none_or(as_far);
    let silent_too = |one: &Outcome| {
        is_silent(one) && own.is_some() && one.path.last_hop.map(|hop| hop.address) == own.map(|hop| hop.address)
    };
    let mut others = outcomes.iter().filter(|one| is_another(one));
    others.any(|one| missing(one) || silent_too(one)) && !outcomes.iter().any(|one| shows_itself(one, ip))
}

/// Whether an outcome proves that a host is there.
fn shows_itself(outcome: &Outcome, ip: IpAddr) -> bool {
    let evidence = Evidence { steps: Vec::new(), facts: outcome.facts.clone() };
    outcome.ip(Fact::Address) == Some(ip.to_canonical())
        && (!is_silent(outcome) || Way::of_others(&evidence).reached(ip).is_some())
}

fn is_rejected(outcome: &Outcome) -> bool {
    matches!(outcome.code, Code::Rejected | Code::Unreachable | Code::RefusedInPath)
        && outcome.path.rejected_by.is_some_and(|icmp| icmp.from.is_some())
        && is_direct(outcome)
}

fn is_silent(outcome: &Outcome) -> bool {
    matches!(outcome.code, Code::Dropped | Code::NoAnswer | Code::SqlBrowserSilent | Code::SqlInstancePortBlocked)
        && matches!(outcome.status, Status::Fail | Status::Unknown)
        && outcome.path.rejected_by.is_none()
        && is_direct(outcome)
}

fn is_direct(outcome: &Outcome) -> bool {
    outcome.tested_from.is_some() && outcome.text(Fact::Proxy).is_none()
}

fn only_ip(outcome: &Outcome) -> Option<IpAddr> {
    only_address(outcome).map(|address| address.ip())
}

/// The address that was asked, where there is but one.
fn only_address(outcome: &Outcome) -> Option<SocketAddr> {
    let mut asked = outcome.steps.iter().filter(|step| step.kind == StepKind::Connect).map(|step| &step.address);
    let first = asked.next()?;
    let one = asked.all(|address| address == first);
    first.as_deref().filter(|_| one)?.parse().ok()
}

/// What is found out where an ICMP message now answers on this very port.
async fn rejected(place: &Place, probes: &[PlannedProbe], net: &Net) -> Option<Facts> {
    let planned = place.flows.first().and_then(|at| probes.get(*at))?;
    let trace = Trace::new(Instant::now());
    let view = View::new(&planned.ask, place.address, &net.paths, &trace)?;
    let patience = if place.beside_rejections { AT_ONCE } else { NEIGHBOUR_MISSED };
    view.ask_once(patience).await.then(|| trace.so_far(Failure::TimedOut).facts)
}

fn judge_again(planned: &PlannedProbe, address: SocketAddr, found: &Facts, outcome: &mut Outcome) {
    let mut planned = planned.clone();
    planned.take_port(address.port());
    let mut evidence =
        Evidence { steps: std::mem::take(&mut outcome.steps), facts: std::mem::take(&mut outcome.facts) };
    evidence.facts.extend(found.clone());
    let case = Case { flow: &planned.flow, ask: &planned.ask, address: Some(address), evidence: &evidence };
    let judgement = judge::with_names(judge::judge(&case), &planned.ask, &evidence, Some(&evidence), &[address.ip()]);
    let attempts = outcome.attempts;
    *outcome = runner::outcome(&planned, judgement.clone(), Attempt { judgement, evidence }, attempts);
}
