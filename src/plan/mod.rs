//! A profile seen from one side: what to ask, what to answer, and what only the other side can test. Pure data.
//!
//! [`settle`] fills in what checks leave open; [`proxies`] says which proxy setting decides; [`answers`] says which
//! responders stand in for this side's services.

mod answers;
pub mod proxies;
mod settle;

use std::time::Duration;

use crate::model::ask::{Ask, ProxyOrigin, Route};
use crate::model::code::Code;
use crate::model::flow::{Flow, Role};
use crate::model::token::Word;
use crate::profile::{Check, Endpoint, Profile};
use crate::responder::Service;

/// What one side does in a run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub profile: String,
    pub sides: Vec<Role>,
    pub probes: Vec<PlannedProbe>,
    pub untested: Vec<Untested>,
    pub answers: Vec<PlannedAnswer>,
    /// The time that the whole run may take.
    pub deadline: Duration,
    /// The fingerprint of the run word, where there is one.
    pub word: Option<String>,
}

/// One flow towards one endpoint that this side can test.
#[derive(Debug, Clone)]
pub struct PlannedProbe {
    pub flow: Flow,
    pub tested_from: Role,
    pub ask: Ask,
    pub choice: Choice,
    /// The probe (by its place in the plan) whose `instance-port` fact replaces the port.
    pub port_found_by: Option<usize>,
    /// The flow's remedy with `{port}` still open.
    rule: String,
    /// The time that this check may take in all, retries included.
    pub budget: Duration,
    pub attempts: u32,
}

impl PlannedProbe {
    /// Takes the port that another check found, in the question as in the rule to ask for.
    pub fn take_port(&mut self, port: u16) {
        self.ask.port = port;
        self.flow.remedy = settle::with_port(&self.rule, port);
    }
}

/// How it was settled whether a flow goes through a proxy; empty where no setting speaks of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Every setting that names a proxy or an exception, one line for each.
    pub sources: Vec<String>,
    /// The one that decided.
    pub decided: Option<ProxyOrigin>,
    /// What the exceptions say of the target, where they were asked.
    pub exception: Option<String>,
    /// The way that was not chosen.
    pub other: Option<Route>,
}

/// A flow that this run does not test, and why.
#[derive(Debug, Clone)]
pub struct Untested {
    pub flow: Flow,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub code: Code,
    pub sentence: String,
}

/// A responder that stands in for a service of this side.
#[derive(Debug, Clone)]
pub struct PlannedAnswer {
    pub role: Role,
    pub endpoint: String,
    pub service: Service,
    /// The key of the endpoint that holds the port (`port`, `browser-port`).
    pub port_key: String,
    pub port: u16,
    /// Another check tells the other side the port (SQL Browser), so any port will do.
    pub announced: bool,
    pub checks: Vec<String>,
}

/// What a plan takes from its surroundings.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// This machine's own proxy settings, for endpoints with `proxy: system`.
    pub proxies: &'a proxies::Machine,
    /// The word from which tokens are derived, so that runs of several sides can be joined; random tokens without one.
    pub word: Option<&'a Word>,
}

/// Why no plan can be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Impossible {
    #[error("no side is named; say which role this machine plays: {roles}", roles = hint(.0))]
    NoSide(Vec<Role>),
    #[error("the profile has no role `{0}`; its roles are: {roles}", roles = names(.1))]
    UnknownSide(Role, Vec<Role>),
    #[error("the profile has no check `{0}`; its checks are: {checks}", checks = .1.join(", "))]
    UnknownCheck(String, Vec<String>),
}

fn hint(roles: &[Role]) -> String {
    roles.iter().map(|role| format!("--side {role}")).collect::<Vec<_>>().join(", ")
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(Role::as_str).collect::<Vec<_>>().join(", ")
}

/// Makes the plan of the side that plays `sides`, of the checks in `only` (all where it is empty).
///
/// # Errors
/// [`Impossible`] where a side or a check is not in the profile, or no side is named.
pub fn make(
    profile: &Profile,
    sides: &[Role],
    only: &[String],
    surroundings: &Surroundings,
) -> Result<Plan, Impossible> {
    check_names(profile, sides, only)?;
    let mut plan = Plan {
        profile: profile.name.clone(),
        sides: sides.to_vec(),
        probes: Vec::new(),
        untested: Vec::new(),
        answers: answers::of(profile, sides, only),
        deadline: profile.settings.deadline.0,
        word: surroundings.word.map(Word::fingerprint),
    };
    for check in profile.checks.iter().filter(|check| only.is_empty() || only.contains(&check.id)) {
        for endpoint in targets(profile, check) {
            let seen = View { profile, check, endpoint, surroundings };
            match seen.untested(sides) {
                Some(untested) => plan.untested.push(untested),
                None => plan.probes.push(seen.probe()),
            }
        }
    }
    link_ports(profile, &mut plan);
    Ok(plan)
}

fn check_names(profile: &Profile, sides: &[Role], only: &[String]) -> Result<(), Impossible> {
    let roles: Vec<Role> = profile.roles.iter().map(|info| info.role.clone()).collect();
    if sides.is_empty() {
        let openers = roles.into_iter().filter(|role| profile.checks.iter().any(|check| check.from == *role)).collect();
        return Err(Impossible::NoSide(openers));
    }
    if let Some(stranger) = sides.iter().find(|side| !roles.contains(side)) {
        return Err(Impossible::UnknownSide(stranger.clone(), roles));
    }
    let known = |id: &String| profile.checks.iter().any(|check| check.id == *id);
    match only.iter().find(|id| !known(id)) {
        Some(stranger) => {
            let checks = profile.checks.iter().map(|check| check.id.clone()).collect();
            Err(Impossible::UnknownCheck(stranger.clone(), checks))
        }
        None => Ok(()),
    }
}

/// The endpoints that a check goes to: those of its role; where a role speaks to itself, those that are a parent.
fn targets<'p>(profile: &'p Profile, check: &Check) -> Vec<&'p Endpoint> {
    let of_role = || profile.endpoints.iter().filter(|endpoint| endpoint.role == check.to.as_str());
    if check.from != check.to {
        return of_role().collect();
    }
    let is_parent = |name: &str| profile.endpoints.iter().any(|child| child.parent.as_deref() == Some(name));
    let parents: Vec<_> = of_role().filter(|endpoint| is_parent(&endpoint.name)).collect();
    if parents.is_empty() { of_role().take(1).collect() } else { parents }
}

/// Finds, for each probe whose port another check tells, that other check's probe.
fn link_ports(profile: &Profile, plan: &mut Plan) {
    for index in 0..plan.probes.len() {
        let probe = &plan.probes[index];
        let endpoint = profile.endpoints.iter().find(|endpoint| endpoint.name == probe.flow.endpoint);
        let rule = profile.checks.iter().find(|check| check.id == probe.flow.check).map(|check| &check.port);
        let (Some(endpoint), Some(rule)) = (endpoint, rule) else { continue };
        let fixed = rule.setting.as_deref().is_some_and(|key| endpoint.has(key));
        let Some(finder) = rule.found_by.as_deref().filter(|_| !fixed) else { continue };
        let found = plan.probes.iter().position(|p| p.flow.check == finder && p.flow.endpoint == endpoint.name);
        plan.probes[index].port_found_by = found;
    }
}

/// One check towards one endpoint.
struct View<'a> {
    profile: &'a Profile,
    check: &'a Check,
    endpoint: &'a Endpoint,
    surroundings: &'a Surroundings<'a>,
}
