//! Probes that come from addresses which the other side does not know as this one's, and the reverse: behind address
//! translation or a proxy they look like a stranger's, who is closed without a byte. Both sides then show themselves on the
//! ways of the flows, and those flows are tested again. Where nothing can be said, since no connection opens, they knock: the
//! far side may recognise the requests among those of unknown addresses, and tell what became of them.
//!
//! Nothing of this happens where everything works, or where what failed left a receipt.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::{CliError, progress, secrets, session};
use super::{Both, planned, replace};
use crate::model::ask::Route;
use crate::model::code::Code;
use crate::model::evidence::{Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::flow::Transport;
use crate::model::run::{Outcome, Receipt};
use crate::model::sighting::{AnsweredBy, Sightings};
use crate::net::introduce::{self, Place};
use crate::peer::listener::Ports;
use crate::plan::Plan;

impl Both<'_> {
    /// Shows the listener from which addresses this side's probes come, where it seems not to know them; whether it learned
    /// of any. The flows of those that it let in are then tested again.
    pub(super) async fn introduce(
        &mut self,
        plan: &Plan,
        outcomes: &mut [Outcome],
        far: &Sightings,
    ) -> Result<bool, CliError> {
        let suspects: Vec<&Outcome> = outcomes.iter().filter(|outcome| is_suspect(outcome, far)).collect();
        let places: Vec<Place> = suspects.iter().filter_map(|outcome| place(outcome, plan)).collect();
        let checks: Vec<String> = suspects.iter().map(|outcome| outcome.check.clone()).collect();
        let silent = outcomes.iter().filter(|outcome| is_lost_among_strangers(outcome, far));
        let knock_at: Vec<Place> = silent.filter_map(|outcome| place(outcome, plan)).collect();
        if places.is_empty() && knock_at.is_empty() {
            return Ok(false);
        }
        let Ok(word) = self.channel.introduce().await else { return Ok(false) };
        let net = session::net_with(&self.profile, secrets::read(plan)?);
        let knocks = self.channel.while_alive(introduce::say(&word, &places, &knock_at, &net)).await;
        let (introduced, knocked) = self.channel.introduced(knocks).await.unwrap_or_default();
        let known = knocked.iter().any(|knocked| knocked.from.is_some());
        self.knocked.extend(knocked);
        if introduced.is_empty() {
            return Ok(known);
        }
        let plan = planned(&self.profile, self.sides, &self.with_finders(checks))?;
        let profile = self.profile.clone();
        let observer = progress::observer(plan.probes.len());
        let again = session::tested_until(&profile, &plan, observer, self.stop.told());
        let again = self.channel.while_alive(again).await?;
        replace(outcomes, again.1);
        self.introduced.extend(introduced);
        Ok(true)
    }

    /// The reverse: has the listener show itself where its probes seem to come from addresses that are not known.
    pub(super) async fn meet(&mut self, theirs: &mut [Outcome]) -> bool {
        let near = self.near().await;
        let suspects = theirs.iter().filter(|outcome| is_suspect(outcome, &near));
        let (checks, ports): (Vec<String>, Ports) =
            suspects.filter_map(|outcome| Some((outcome.check.clone(), (outcome.transport, outcome.port?)))).unzip();
        let silent = theirs.iter().filter(|outcome| is_lost_among_strangers(outcome, &near));
        let knock: Ports = silent.filter_map(|outcome| Some((outcome.transport, outcome.port?))).collect();
        if checks.is_empty() && knock.is_empty() {
            return false;
        }
        let (word, opened) = (self.shared.door.open(&self.shared.limits), Instant::now());
        let said = self.channel.introduce_yourself(word.clone(), ports, knock).await;
        let met = self.shared.door.close(&word);
        let Ok(knocks) = said else { return false };
        let peers = self.shared.peers.clone();
        let whose = self.witness.whose(Instant::now(), knocks, opened, move |ip| peers.include(ip));
        self.heard.extend(whose.await);
        if met.is_empty() {
            return false;
        }
        self.met.extend(met);
        let wanted = self.wanted(self.with_finders(checks));
        if let Ok(again) = self.channel.test_again(wanted).await {
            replace(theirs, again);
        }
        true
    }

    /// With the checks that find the ports of these.
    pub(super) fn with_finders(&self, mut checks: Vec<String>) -> Vec<String> {
        let found_by = |id: &String| self.profile.checks.iter().find(|check| check.id == *id)?.port.found_by.clone();
        let finders: Vec<String> = checks.iter().filter_map(found_by).collect();
        checks.extend(finders);
        checks
    }
}

/// Whether a flow may have failed only because the far side took the prober for a stranger: a responder answers on its port,
/// which saw nothing of it.
fn is_suspect(outcome: &Outcome, far: &Sightings) -> bool {
    let Some(port) = outcome.port.filter(|_| outcome.tested_from.is_some()) else { return false };
    let responds = far.answers.iter().any(|answer| {
        answer.by == AnsweredBy::Responder
            && (&answer.role, answer.transport, answer.port) == (&outcome.to, outcome.transport, port)
    });
    let token = outcome.text(Fact::Token);
    let seen = far.receipts.iter().any(|receipt| match (&receipt.token, token) {
        (Some(came), Some(own)) => came == own,
        _ => arrived_at(receipt, port),
    });
    responds && !seen && looks_like_a_strangers(outcome)
}

/// Whether a flow met silence or a refusal, and the far side saw nothing of it, while addresses asked on its port that are not
/// known: after address translation, one of them may have been the prober.
fn is_lost_among_strangers(outcome: &Outcome, far: &Sightings) -> bool {
    let Some(port) = outcome.port.filter(|_| outcome.tested_from.is_some()) else { return false };
    let direct = !outcome.facts.contains_key(Fact::Proxy.word());
    let failed = matches!(outcome.status, Status::Fail | Status::Unknown);
    let opened = |step: &Step| step.kind == StepKind::Connect && step.error.is_none();
    let unopened = outcome.transport == Transport::Udp || !outcome.steps.iter().any(opened);
    let source = outcome.socket(Fact::LocalAddress).map(|local| local.port());
    let seen = far.sighted.iter().any(|seen| {
        (seen.transport, seen.local.port()) == (outcome.transport, port) && Some(seen.remote.port()) == source
    });
    direct && failed && unopened && !seen && far.strangers.contains(&(outcome.transport, port))
}

/// Strangers' connections are opened and closed, their datagrams not answered, and a proxy's requests not either.
fn looks_like_a_strangers(outcome: &Outcome) -> bool {
    let opened = outcome.steps.iter().any(|step| step.kind == StepKind::Connect && step.error.is_none());
    let failed = !matches!(outcome.status, Status::Pass | Status::Skip | Status::Error);
    let by_proxy = matches!(
        outcome.code,
        Code::ProxyUnreachable
            | Code::ProxyAuthRequired
            | Code::ProxyAuthFailed
            | Code::ProxyDenied
            | Code::ProxyConnectRefused
    );
    // A proxy may answer with a page of its own for a host that closes its connections.
    let answered_for = outcome.status == Status::Pass
        && outcome.facts.contains_key(Fact::Proxy.word())
        && outcome.number(Fact::Status).is_some()
        && !outcome.holds(Fact::Echoed);
    (failed && !by_proxy && (outcome.transport == Transport::Udp || opened)) || answered_for
}

/// Where the flow went, and how it was asked.
pub(in super::super) fn place(outcome: &Outcome, plan: &Plan) -> Option<Place> {
    let asked = |flow: &crate::model::flow::Flow| flow.check == outcome.check && flow.endpoint == outcome.endpoint;
    let ask = plan.probes.iter().find(|probe| asked(&probe.flow))?.ask.clone();
    let ask = crate::model::ask::Ask { port: outcome.port?, ..ask };
    let connected = outcome.steps.iter().rev().find(|step| step.kind == StepKind::Connect && step.error.is_none());
    let address = match connected.and_then(|step| step.address.as_deref()) {
        Some(address) => address,
        None => outcome.text(Fact::Address).filter(|_| ask.route == Route::Direct)?,
    };
    let address: SocketAddr = address.parse().ok()?;
    Some(Place { ask, address })
}

fn arrived_at(receipt: &Receipt, port: u16) -> bool {
    receipt.arrived_at.parse::<SocketAddr>().is_ok_and(|at| at.port() == port)
}
