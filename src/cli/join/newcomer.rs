//! Probes that come from addresses which the other side does not know as this one's, and the reverse: behind address
//! translation they look like a stranger's, who is closed without a byte. Both sides then show themselves, and those flows
//! are tested again.
//!
//! Nothing of this happens where everything works, or where what failed left a receipt.

use std::net::SocketAddr;

use super::super::{CliError, progress, session};
use super::{Both, planned, replace};
use crate::model::evidence::StepKind;
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::flow::Transport;
use crate::model::run::{Outcome, Receipt};
use crate::model::sighting::{AnsweredBy, Answering, Sightings};
use crate::net::introduce;

impl Both<'_> {
    /// Shows the listener from which addresses this side's probes come, where it seems not to know them; whether it learned
    /// of any. The flows concerned are then tested again.
    pub(super) async fn introduce(&mut self, outcomes: &mut [Outcome], far: &Sightings) -> Result<bool, CliError> {
        let suspects = suspects(outcomes, far);
        if suspects.is_empty() {
            return Ok(false);
        }
        let Ok(word) = self.channel.introduce().await else { return Ok(false) };
        self.channel.while_alive(introduce::say(&word, &suspects.places)).await;
        let introduced = self.channel.introduced().await.unwrap_or_default();
        if introduced.is_empty() {
            return Ok(false);
        }
        let plan = planned(&self.profile, self.sides, &self.with_finders(suspects.checks))?;
        let profile = self.profile.clone();
        let observer = progress::observer(plan.probes.len());
        let again = self.channel.while_alive(session::run(&profile, &plan, observer, Vec::new)).await?;
        replace(outcomes, again.outcomes);
        self.introduced.extend(introduced);
        Ok(true)
    }

    /// The reverse: has the listener show itself where its probes seem to come from addresses that are not known.
    pub(super) async fn meet(&mut self, theirs: &mut [Outcome]) -> bool {
        let near = self.near().await;
        let suspects = suspects(theirs, &near);
        if suspects.is_empty() {
            return false;
        }
        let word = self.shared.door.open(&self.shared.limits);
        let ports = suspects.places.iter().map(|(transport, place)| (*transport, place.port())).collect();
        let said = self.channel.introduce_yourself(word.clone(), ports).await;
        let met = self.shared.door.close(&word);
        if said.is_err() || met.is_empty() {
            return false;
        }
        self.met.extend(met);
        let wanted = self.wanted(self.with_finders(suspects.checks));
        if let Ok(again) = self.channel.test_again(wanted).await {
            replace(theirs, again);
        }
        true
    }

    /// With the checks that find the ports of these.
    fn with_finders(&self, mut checks: Vec<String>) -> Vec<String> {
        let found_by = |id: &String| self.profile.checks.iter().find(|check| check.id == *id)?.port.found_by.clone();
        let finders: Vec<String> = checks.iter().filter_map(found_by).collect();
        checks.extend(finders);
        checks
    }
}

/// Flows that may have failed only because the far side took the prober for a stranger.
#[derive(Default)]
struct Suspects {
    checks: Vec<String>,
    places: Vec<(Transport, SocketAddr)>,
}

impl Suspects {
    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

fn suspects(outcomes: &[Outcome], far: &Sightings) -> Suspects {
    let mut suspects = Suspects::default();
    for outcome in outcomes.iter().filter(|outcome| outcome.tested_from.is_some()) {
        let Some(place) = place(outcome) else { continue };
        let transport = outcome.transport;
        let responds = far.answers.iter().any(|answer| is_at(answer, transport, place) && answer.role == outcome.to);
        let seen = far.receipts.iter().any(|receipt| arrived_at(receipt, place));
        if responds && !seen && looks_like_a_strangers(outcome) {
            suspects.checks.push(outcome.check.clone());
            if !suspects.places.contains(&(transport, place)) {
                suspects.places.push((transport, place));
            }
        }
    }
    suspects
}

/// Strangers' connections are opened and closed, and their datagrams not answered.
fn looks_like_a_strangers(outcome: &Outcome) -> bool {
    let opened = || outcome.steps.iter().any(|step| step.kind == StepKind::Connect && step.error.is_none());
    let failed = !matches!(outcome.status, Status::Pass | Status::Skip | Status::Error);
    failed && (outcome.transport == Transport::Udp || opened())
}

fn place(outcome: &Outcome) -> Option<SocketAddr> {
    let direct = !outcome.facts.contains_key(Fact::Proxy.word());
    outcome.facts.get(Fact::Address.word())?.as_str()?.parse().ok().filter(|_| direct)
}

fn is_at(answer: &Answering, transport: Transport, place: SocketAddr) -> bool {
    answer.by == AnsweredBy::Responder && answer.transport == transport && answer.port == place.port()
}

fn arrived_at(receipt: &Receipt, place: SocketAddr) -> bool {
    receipt.arrived_at.parse::<SocketAddr>().is_ok_and(|at| at.port() == place.port())
}
