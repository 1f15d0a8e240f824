//! Runs a plan: every check at once, ports that another check finds handed on, everything known kept when it is cut short.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attempt::{self, Attempt, Cut};
use super::met::{self, Met};
use super::observer::Observer;
use super::{quiet, retry};
use crate::diagnose::{expected, flaky, judge};
use crate::model::code::Code;
use crate::model::evidence::Evidence;
use crate::model::fact::Fact;
use crate::model::finding::Judgement;
use crate::model::probe::Probe;
use crate::model::run::{CutShort, Outcome, PathEvidence};
use crate::net::Net;
use crate::plan::{Plan, PlannedProbe, Untested};

/// How long an instance is looked for on the usual port where nobody tells its own.
const GUESS: Duration = Duration::from_millis(1200);

/// What a probe found for those that wait for it.
#[derive(Debug, Clone)]
enum Found {
    Port(u16),
    Nothing(String),
}

type Finding = watch::Receiver<Option<Found>>;

/// What a run gave: the outcomes in the plan's order, and what cut it short.
pub struct Results {
    pub outcomes: Vec<Outcome>,
    pub cut_short: Option<CutShort>,
}

/// Runs the plan. `stop` ends it early when it completes (Ctrl-C); the plan's deadline does so as well.
pub async fn run(
    plan: &Plan,
    net: Arc<Net>,
    started: Instant,
    observer: Arc<dyn Observer>,
    stop: impl Future<Output = ()>,
) -> Results {
    let (cut, cut_seen) = watch::channel(None);
    let channels: Vec<_> = plan.probes.iter().map(|_| watch::channel(None)).collect();
    let met = Arc::new(Met::default());
    let mut tasks = JoinSet::new();
    for (index, planned) in plan.probes.iter().enumerate() {
        let waits_for = planned.port_found_by.and_then(|finder| channels.get(finder)).map(|(_, seen)| seen.clone());
        let job = Job {
            planned: planned.clone(),
            waits_for,
            finder: planned.port_found_by.and_then(|finder| plan.probes.get(finder)).map(|p| p.flow.check.clone()),
            tells: channels[index].0.clone(),
            net: Arc::clone(&net),
            started,
            cut: cut_seen.clone(),
            observer: Arc::clone(&observer),
            met: Arc::clone(&met),
        };
        tasks.spawn(async move { (index, job.run().await) });
    }
    let mut collect = std::pin::pin!(collect(tasks, plan.probes.len()));
    let mut stop = std::pin::pin!(stop);
    let outcomes = tokio::select! {
        outcomes = &mut collect => outcomes,
        () = tokio::time::sleep_until((started + plan.deadline).into()) => {
            let _ = cut.send(Some(CutShort::Deadline));
            collect.await
        }
        () = &mut stop => {
            let _ = cut.send(Some(CutShort::Interrupted));
            collect.await
        }
    };
    let cut_short = *cut.borrow();
    let tested = plan.probes.iter().zip(outcomes);
    let tested = tested.map(|(planned, outcome)| outcome.unwrap_or_else(|| crashed(planned)));
    let mut outcomes: Vec<Outcome> = tested.chain(plan.untested.iter().map(untested)).collect();
    if cut_short.is_none() {
        tokio::select! {
            () = quiet::ask_again(&plan.probes, &mut outcomes, &net) => {}
            () = tokio::time::sleep_until((started + plan.deadline).into()) => {}
            () = &mut stop => {}
        }
    }
    flaky::contradicted(&mut outcomes);
    outcomes.iter_mut().for_each(expected::judge);
    Results { outcomes, cut_short }
}

/// The outcomes by their place in the plan; a task that crashed leaves its place empty.
async fn collect(mut tasks: JoinSet<(usize, Outcome)>, places: usize) -> Vec<Option<Outcome>> {
    let mut outcomes = vec![None; places];
    while let Some(ended) = tasks.join_next().await {
        if let Ok((index, outcome)) = ended {
            outcomes[index] = Some(outcome);
        }
    }
    outcomes
}

/// One check on its way to an outcome.
struct Job {
    planned: PlannedProbe,
    waits_for: Option<Finding>,
    /// The check that is waited for.
    finder: Option<String>,
    tells: watch::Sender<Option<Found>>,
    net: Arc<Net>,
    started: Instant,
    cut: Cut,
    observer: Arc<dyn Observer>,
    met: Arc<Met>,
}

impl Job {
    async fn run(mut self) -> Outcome {
        let target = self.planned.ask.target();
        self.observer.begun(&self.planned.flow.check, &target);
        let outcome = match self.port().await {
            Ok(()) => self.attempts().await,
            Err(judgement) => {
                let mut skipped = outcome(&self.planned, judgement, Attempt::nothing(), 0);
                if let Some(finder) = self.finder.take() {
                    skipped.facts.insert(Fact::Prerequisite.word().to_owned(), finder.into());
                }
                skipped
            }
        };
        let _ = self.tells.send(Some(found(&outcome)));
        let mut shown = outcome.clone();
        expected::judge(&mut shown);
        self.observer.ended(&self.planned.flow.check, &target, shown.status);
        outcome
    }

    /// Waits for the check that finds the port, where there is one.
    async fn port(&mut self) -> Result<(), Judgement> {
        let Some(finding) = self.waits_for.as_mut() else { return Ok(()) };
        let found = finding.wait_for(Option::is_some).await.map(|found| (*found).clone());
        match found.ok().flatten() {
            Some(Found::Port(port)) => {
                self.planned.take_port(port);
                Ok(())
            }
            Some(Found::Nothing(why)) => {
                let hint = if self.guess().await { usual_port(&self.planned) } else { String::new() };
                let sentence =
                    format!("The port of the instance is not known, for SQL Browser did not tell it: {why}{hint}");
                Err(Judgement::skip(Code::PrerequisiteFailed, sentence))
            }
            None => Err(Judgement::error("The check that finds the port ended without a word.")),
        }
    }

    /// Whether the very instance answers on the usual port, for all that nobody told so.
    async fn guess(&self) -> bool {
        let mut planned = self.planned.clone();
        let Probe::Sql(settings) = &mut planned.ask.probe else { return false };
        settings.account = None;
        let limit = tokio::time::Instant::now() + GUESS.min(planned.budget);
        let attempt = attempt::make(&planned, &self.net, self.started, limit, &self.cut).await;
        attempt.evidence.holds(Fact::InstanceMatches)
    }

    async fn attempts(&self) -> Outcome {
        let limit = tokio::time::Instant::now() + self.planned.budget;
        let mut earlier: Option<Attempt> = None;
        let mut made = 0;
        loop {
            made += 1;
            let attempt = attempt::make(&self.planned, &self.net, self.started, limit, &self.cut).await;
            self.met.note(&self.planned.flow, &attempt.evidence);
            // With less time than this one took, the next attempt could only run out of it.
            let latest = limit.checked_sub(lasted(&attempt.evidence)).unwrap_or(limit);
            let attempt = match earlier.take() {
                Some(earlier) => retry::settle(earlier, attempt, made, &self.planned.ask.target()),
                None => attempt,
            };
            if !retry::worthwhile(&attempt.judgement) || !self.again(made, &attempt, latest).await {
                return outcome(&self.planned, attempt.judgement.clone(), attempt, made);
            }
            earlier = Some(attempt);
        }
    }

    /// Waits until another attempt may tell something else; or there is none to be made.
    async fn again(&self, made: u32, attempt: &Attempt, latest: tokio::time::Instant) -> bool {
        let now = tokio::time::Instant::now();
        let rejected = met::icmp(&attempt.evidence).is_some();
        let until = now + if rejected { retry::ICMP_PAUSE } else { retry::pause(made) };
        // What works for another check at this very place may do so here a moment later, as behind a limit on new
        // connections.
        let enough = made >= self.planned.attempts && !self.met.disproves(&attempt.evidence);
        if enough || self.cut.borrow().is_some() || until >= latest {
            return false;
        }
        tokio::time::sleep_until(until.min(now + retry::pause(made))).await;
        if rejected && self.met.confirms(&attempt.evidence) && !self.met.disproves(&attempt.evidence) {
            return false;
        }
        tokio::time::sleep_until(until).await;
        true
    }
}

impl Attempt {
    fn nothing() -> Self {
        Self { judgement: Judgement::error(""), evidence: Evidence::default() }
    }
}

fn usual_port(planned: &PlannedProbe) -> String {
    let (port, endpoint) = (planned.ask.port, &planned.flow.endpoint);
    format!(
        " The instance does answer on TCP {port}: where the product names that port instead of the instance, it works without \
         SQL Browser; check it with --set {endpoint}.port={port}."
    )
}

/// How long a conversation took, without what was looked at beside it.
fn lasted(evidence: &Evidence) -> Duration {
    let begun = evidence.steps.iter().map(|step| step.at_ms).min().unwrap_or_default();
    let ended = evidence.steps.iter().map(|step| step.at_ms + step.took_ms.0 / 1000).max().unwrap_or_default();
    Duration::from_millis(ended.saturating_sub(begun))
}

fn found(outcome: &Outcome) -> Found {
    outcome
        .number(Fact::InstancePort)
        .and_then(|port| u16::try_from(port).ok())
        .map_or_else(|| Found::Nothing(outcome.sentence.clone()), Found::Port)
}

pub(super) fn outcome(planned: &PlannedProbe, judgement: Judgement, attempt: Attempt, attempts: u32) -> Outcome {
    // Of any address: one of several may be rejected while another works.
    let rejected_by = attempt.evidence.steps.iter().rev().find_map(|step| step.icmp);
    let rejected_by = rejected_by.or_else(|| judge::rejected_aside(&attempt.evidence));
    Outcome {
        tested_from: Some(planned.tested_from.clone()),
        target: Some(planned.ask.target()),
        port: Some(planned.ask.port),
        path: PathEvidence { last_hop: judge::last_hop(&attempt.evidence, judgement.code), rejected_by },
        steps: attempt.evidence.steps,
        facts: attempt.evidence.facts,
        attempts,
        ..bare(&planned.flow, judgement)
    }
}

fn untested(untested: &Untested) -> Outcome {
    let target = untested.host.as_ref().zip(untested.port);
    Outcome {
        target: target.map(|(host, port)| crate::model::ask::host_port(host, port)),
        port: untested.port,
        ..bare(&untested.flow, Judgement::skip(untested.code, untested.sentence.clone()))
    }
}

fn crashed(planned: &PlannedProbe) -> Outcome {
    let judgement = Judgement::error("The probe itself failed; please report this with the run record.");
    outcome(planned, judgement, Attempt::nothing(), 1)
}

fn bare(flow: &crate::model::flow::Flow, judgement: Judgement) -> Outcome {
    Outcome {
        check: flow.check.clone(),
        title: flow.title.clone(),
        task: flow.task.clone(),
        rank: flow.rank,
        from: flow.from.clone(),
        to: flow.to.clone(),
        carries: flow.carries,
        tested_from: None,
        endpoint: flow.endpoint.clone(),
        target: None,
        transport: flow.transport,
        port: None,
        expect: flow.expect,
        status: judgement.status,
        code: judgement.code,
        lost: judgement.lost,
        confidence: judgement.confidence,
        sentence: judgement.sentence,
        remedy: judgement.remedy,
        path: PathEvidence::default(),
        steps: Vec::new(),
        facts: crate::model::evidence::Facts::default(),
        receipts: Vec::new(),
        attempts: 0,
        source: flow.source.clone(),
        rule: flow.remedy.clone(),
    }
}
