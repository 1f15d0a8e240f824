//! Plans and runs of whole profiles, over real sockets: what is tested, what waits for what, and what it all comes to.

mod addresses;
mod ending;
mod instances;
mod planning;
mod retries;
mod verdicts;
mod ways;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::engine::observer::Observer;
use bothways::engine::{record, runner};
use bothways::model::finding::Status;
use bothways::model::flow::Role;
use bothways::model::run::{CutShort, Outcome, Run, RunInfo, TaskVerdict};
use bothways::model::span::Span;
use bothways::net::Net;
use bothways::net::resolve::Resolver;
use bothways::plan::proxies::Machine;
use bothways::plan::{self, Plan, Surroundings};
use bothways::profile::Profile;
use bothways::profile::catalog::Catalog;
use bothways::profile::load::load;
use bothways::responder::{self, Certificate, Open, Peers, Service, Shared};

/// The built-in Miradore profile with these values, as `--set` gives them, and a second for each check.
fn miradore(sets: &[String]) -> Profile {
    let loaded = load("miradore", sets, &Catalog::built_in());
    let mut profile = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    profile.settings.timeout = Span::seconds(2);
    profile
}

/// A profile written out in a file.
pub fn written(yaml: &str) -> Profile {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("written.yaml");
    std::fs::write(&file, yaml).expect("a file");
    load(&file.to_string_lossy(), &[], &Catalog::built_in()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The plan of whoever plays these roles, where the environment names no proxy.
pub fn plan_of(profile: &Profile, sides: &[&str], only: &[&str]) -> Plan {
    plan_behind(profile, sides, only, &[])
}

/// [`plan_of`] with these variables in the environment.
fn plan_behind(profile: &Profile, sides: &[&str], only: &[&str], variables: &[(&str, &str)]) -> Plan {
    let sides: Vec<Role> = sides.iter().map(|side| Role::new(*side)).collect();
    let only: Vec<String> = only.iter().map(|id| (*id).to_owned()).collect();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let proxies = Machine::new(variables, Vec::new());
    plan::make(profile, &sides, &only, &Surroundings { proxies: &proxies, word: None }).expect("a plan")
}

/// Watches and says nothing.
struct Nobody;

impl Observer for Nobody {
    fn begun(&self, _: &str, _: &str) {}
    fn ended(&self, _: &str, _: &str, _: Status) {}
}

/// Runs a plan to its end.
pub async fn run(plan: &Plan) -> Run {
    run_with(plan, Resolver::default(), Arc::new(Nobody), std::future::pending()).await
}

async fn run_with(plan: &Plan, resolver: Resolver, observer: Arc<dyn Observer>, stop: impl Future<Output = ()>) -> Run {
    let net = Arc::new(Net::new(resolver, HashMap::new()));
    let results = runner::run(plan, net, Instant::now(), observer, stop).await;
    record::draw_up(info(plan, results.cut_short), results.outcomes, &[])
}

fn info(plan: &Plan, cut_short: Option<CutShort>) -> RunInfo {
    RunInfo {
        id: "under-test".to_owned(),
        started: "2026-11-23T02:17:00Z".to_owned(),
        elapsed_ms: 0,
        profile: plan.profile.clone(),
        side: plan.sides.clone(),
        host: "here".to_owned(),
        peer: None,
        cut_short,
        word: None,
    }
}

/// The only outcome of this check.
pub fn outcome<'r>(run: &'r Run, check: &str) -> &'r Outcome {
    let mut found = run.outcomes.iter().filter(|outcome| outcome.check == check);
    let first = found.next().unwrap_or_else(|| panic!("no outcome of {check}"));
    assert!(found.next().is_none(), "{check} has several outcomes");
    first
}

fn task<'r>(run: &'r Run, name: &str) -> &'r TaskVerdict {
    run.tasks.iter().find(|task| task.task == name).unwrap_or_else(|| panic!("no task {name}"))
}

/// A responder on a free port of 127.0.0.1, or on the very address.
pub async fn respond(service: Service, at: &str) -> Open {
    let certificate = Certificate::for_names(&["127.0.0.1".to_owned()]).expect("a certificate");
    let shared = Arc::new(Shared::new(Peers::loopback(), certificate));
    let at: SocketAddr = at.parse().expect("an address");
    responder::open(service, at, shared).await.expect("a free port")
}

const ANYWHERE: &str = "127.0.0.1:0";

/// A responder for plain HTTP and WebSocket upgrades.
pub async fn web() -> Open {
    respond(Service::Http(responder::http::Service { https: false, control: None }), ANYWHERE).await
}

/// A responder that greets whoever connects.
pub async fn greeter() -> Open {
    respond(Service::Tcp(responder::tcp::Service::default()), ANYWHERE).await
}

fn set(key: &str, value: impl std::fmt::Display) -> String {
    format!("{key}={value}")
}

/// Much longer than any run here may take: whoever reaches it has hung.
const FOREVER: Duration = Duration::from_secs(60);
