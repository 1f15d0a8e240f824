//! What surrounds a run of the engine: the runtime, the resolver, secrets, Ctrl-C, and the record at the end.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use secrecy::SecretString;

use super::{CliError, progress, secrets};
use crate::engine::observer::Observer;
use crate::engine::{record, runner};
use crate::model::flow::Role;
use crate::model::run::{Outcome, Peer, Receipt, Run, RunInfo};
use crate::model::secret::SecretSource;
use crate::model::sighting::Sightings;
use crate::net::Net;
use crate::net::resolve::Resolver;
use crate::plan::{Plan, Surroundings, proxies};
use crate::profile::Profile;
use crate::sys;

/// The runtime on which a run happens.
///
/// # Errors
/// The operating system gives no threads or no event queue.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    sys::allow_many_sockets();
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| CliError::tool(format!("the runtime does not start: {error}")))
}

/// Runs a plan and draws up its record. `receipts` is asked at the end what this machine's responders saw.
///
/// # Errors
/// A secret that can't be read.
pub(super) async fn run(
    profile: &Profile,
    plan: &Plan,
    observer: Arc<dyn Observer>,
    receipts: impl FnOnce() -> Vec<Receipt>,
) -> Result<Run, CliError> {
    run_until(profile, plan, observer, receipts, interrupted().await).await
}

/// [`run`], ended early by what completes at the user's word.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_until(
    profile: &Profile,
    plan: &Plan,
    observer: Arc<dyn Observer>,
    receipts: impl FnOnce() -> Vec<Receipt>,
    stop: impl Future<Output = ()>,
) -> Result<Run, CliError> {
    let (info, outcomes) = tested_until(profile, plan, observer, stop).await?;
    Ok(record::draw_up(info, outcomes, &receipts()))
}

/// What a run is made of, before it is drawn up: what flows say of each other is weighed only after what the other side saw.
///
/// # Errors
/// As [`run`].
pub(super) async fn tested_until(
    profile: &Profile,
    plan: &Plan,
    observer: Arc<dyn Observer>,
    stop: impl Future<Output = ()>,
) -> Result<(RunInfo, Vec<Outcome>), CliError> {
    let net = net(profile, plan)?;
    let (clock, started) = (Instant::now(), jiff::Timestamp::now());
    let results = runner::run(plan, net, clock, observer, stop).await;
    let mut info = info(&plan.profile, &plan.sides, started);
    info.elapsed_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    info.cut_short = results.cut_short;
    info.word.clone_from(&plan.word);
    Ok((info, results.outcomes))
}

/// Runs a plan quietly, for another side.
///
/// # Errors
/// A secret that can't be read.
pub(super) async fn outcomes(profile: &Profile, plan: &Plan) -> Result<Vec<Outcome>, CliError> {
    let net = net(profile, plan)?;
    let observer = Arc::new(progress::Silent);
    Ok(runner::run(plan, net, Instant::now(), observer, std::future::pending()).await.outcomes)
}

/// The record of what was run for another side.
pub(super) fn record(
    profile: &Profile,
    sides: &[Role],
    outcomes: Vec<Outcome>,
    peer: Option<Peer>,
    sightings: Option<Sightings>,
) -> Run {
    let mut info = info(&profile.name, sides, jiff::Timestamp::now());
    info.peer = peer;
    Run { sightings, ..record::draw_up(info, outcomes, &[]) }
}

/// A record drawn up again from outcomes that more is known of.
pub(super) fn again(info: RunInfo, outcomes: Vec<Outcome>) -> Run {
    record::draw_up(info, outcomes, &[])
}

fn net(profile: &Profile, plan: &Plan) -> Result<Arc<Net>, CliError> {
    Ok(Arc::new(net_with(profile, secrets::read(plan)?)))
}

fn info(profile: &str, sides: &[Role], started: jiff::Timestamp) -> RunInfo {
    RunInfo {
        id: uuid::Uuid::now_v7().to_string(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        elapsed_ms: 0,
        profile: profile.to_owned(),
        side: sides.to_vec(),
        host: sys::host_name(),
        peer: None,
        cut_short: None,
        word: None,
    }
}

/// Begins to listen for Ctrl-C and for the system's word to end; gives what completes at the first of either. The second
/// one ends the program at once.
///
/// Whoever has it listens from then on: a signal in the run's first moments must not go without a record.
pub(super) async fn interrupted() -> impl Future<Output = ()> {
    let mut first = Box::pin(sys::asked_to_end());
    let already = poll_fn(|context| Poll::Ready(first.as_mut().poll(context))).await;
    async move {
        if already.is_pending() {
            first.await;
        }
        tokio::spawn(async {
            sys::asked_to_end().await;
            std::process::exit(130);
        });
    }
}

/// The resolver that a profile asks for, with these secrets.
pub(super) fn net_with(profile: &Profile, secrets: HashMap<SecretSource, SecretString>) -> Net {
    let resolver = match profile.settings.name_servers.as_slice() {
        [] => Resolver::default(),
        servers => Resolver::with_name_servers(servers.iter().map(|ip| SocketAddr::new(*ip, 53)).collect()),
    };
    Net::new(resolver, secrets)
}

/// What the plan takes from the environment: the proxy settings.
pub(super) fn with_surroundings<T>(make: impl FnOnce(&Surroundings) -> T) -> T {
    let variables = proxies::VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let machine = proxies::Machine::new(variables, sys::system_proxies()).running(sys::RUN_SCRIPT);
    make(&Surroundings { proxies: &machine, word: None })
}
