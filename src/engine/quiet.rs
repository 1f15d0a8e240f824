//! Asks once more, when everything else has ended, what met silence while other flows to the same host were rejected in words.
//!
//! Devices send only so many ICMP messages a second, and many flows at once use them up. Linux counts two for a packet that
//! a route of its own turns away, and earns one a second: with pauses longer than that, every port gets its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::attempt::Attempt;
use super::runner;
use crate::diagnose::judge::{self, Case};
use crate::model::code::Code;
use crate::model::evidence::{Evidence, Facts, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::flow::Transport;
use crate::model::run::Outcome;
use crate::net::Net;
use crate::net::path::View;
use crate::net::trace::Trace;
use crate::plan::PlannedProbe;

/// The silence before each question.
const PAUSE: Duration = Duration::from_millis(2100);
/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Asks, and judges again what is then rejected. The outcomes begin with those of the probes, in their order.
pub(super) async fn ask_again(probes: &[PlannedProbe], outcomes: &mut [Outcome], net: &Net) {
    let begun = Instant::now();
    for place in silent_places(outcomes) {
        if begun.elapsed() + PAUSE > LONGEST {
            return;
        }
        sleep(PAUSE).await;
        let Some(facts) = rejected(&place, probes, net).await else { continue };
        for at in place.flows {
            if let (Some(planned), Some(outcome)) = (probes.get(at), outcomes.get_mut(at)) {
                judge_again(planned, place.address, &facts, outcome);
            }
        }
    }
}

/// A port that was silent to these flows.
struct Place {
    address: SocketAddr,
    transport: Transport,
    flows: Vec<usize>,
}

fn silent_places(outcomes: &[Outcome]) -> Vec<Place> {
    let rejecting: Vec<SocketAddr> = outcomes.iter().filter(|one| is_rejected(one)).filter_map(only_address).collect();
    let mut places: Vec<Place> = Vec::new();
    for (at, outcome) in outcomes.iter().enumerate().filter(|(_, outcome)| is_silent(outcome)) {
        let Some(address) = only_address(outcome) else { continue };
        if !rejecting.iter().any(|other| other.ip() == address.ip()) {
            continue;
        }
        match places.iter_mut().find(|one| one.address == address && one.transport == outcome.transport) {
            Some(place) => place.flows.push(at),
            None => places.push(Place { address, transport: outcome.transport, flows: vec![at] }),
        }
    }
    places
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
    view.ask_once().await.then(|| trace.so_far(Failure::TimedOut).facts)
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
