//! `bothways check --join`: both sides at once. Each runs its own flows, each tells what it saw of the other, and the two
//! make one record.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::answers::Answers;
use super::args::CheckArgs;
use super::bind::{self, OtherSide};
use super::{CliError, output, progress, session};
use crate::diagnose::both::{self, Observed};
use crate::model::ask::{Proxy, ProxyOrigin};
use crate::model::fact::Fact;
use crate::model::flow::Role;
use crate::model::probe::Probe;
use crate::model::run::{Outcome, Peer, Run};
use crate::model::sighting::{Answering, Sighting, Sightings};
use crate::model::span::Span;
use crate::net::Net;
use crate::net::resolve::Resolver;
use crate::peer::join::JoinCode;
use crate::peer::joiner::{CantJoin, Channel, Search};
use crate::peer::message::{Hello, VERSION};
use crate::peer::witness::Witness;
use crate::plan::{self, Plan};
use crate::profile::{Profile, ProxySetting};
use crate::responder::{Certificate, Peers, Shared};
use crate::sys;

/// How long a WebSocket stays idle before the other side's wake-up, where the profile does not say.
const HOLD: Span = Span::seconds(1);

/// Runs both sides. Where the listener is not reached, this side is tested alone, and that is said.
pub(super) async fn run(mut profile: Profile, sides: &[Role], args: &CheckArgs, code: &str) -> Result<Run, CliError> {
    let code: JoinCode =
        code.parse().map_err(|error: crate::peer::join::BadCode| CliError::usage(error.to_string()))?;
    let id = uuid::Uuid::now_v7().to_string();
    let hello = Hello {
        version: VERSION,
        token: String::new(),
        run: id,
        sides: sides.to_vec(),
        addresses: sys::own_addresses(),
        through_proxy: false,
        checks: args.only.clone(),
        timeout_ms: args.timeout.and_then(|timeout| u64::try_from(timeout.0.as_millis()).ok()),
    };
    let net = Net::new(Resolver::default(), std::collections::HashMap::new());
    let search = Search { code: &code, proxy: proxy(&profile), source: None, net: &net };
    match search.join(hello).await {
        Ok(channel) => {
            hold(&mut profile);
            together(profile, sides, args, channel).await
        }
        Err(CantJoin::Unreached(tried)) => {
            output::say(&format!("The other side was not reached ({tried}); this side is tested alone."));
            let plan = planned(&profile, sides, args)?;
            let observer = progress::observer(plan.probes.len());
            session::run(&profile, &plan, observer, Vec::new).await
        }
        Err(refused) => Err(CliError::usage(refused.to_string())),
    }
}

fn planned(profile: &Profile, sides: &[Role], args: &CheckArgs) -> Result<Plan, CliError> {
    session::with_surroundings(|around| plan::make(profile, sides, &args.only, around))
        .map_err(|why| CliError::usage(why.to_string()))
}

/// The wake-up is tried through the idle WebSocket, as the product sends it.
fn hold(profile: &mut Profile) {
    for check in &mut profile.checks {
        if let Probe::Websocket(websocket) = &mut check.probe
            && websocket.hold.is_none()
        {
            websocket.hold = Some(HOLD);
            check.timeout = check.timeout.map(|timeout| Span(timeout.0 + HOLD.0));
        }
    }
}

/// The proxy that the profile names first: what its clients go through, the control channel can go through.
fn proxy(profile: &Profile) -> Option<Proxy> {
    profile.endpoints.iter().find_map(|endpoint| match &endpoint.proxy {
        ProxySetting::At { host, port } => Some(Proxy {
            host: host.clone(),
            port: *port,
            auth: endpoint.proxy_auth,
            account: endpoint.proxy_account.clone(),
            origin: ProxyOrigin::Profile,
        }),
        _ => None,
    })
}

async fn together(
    mut profile: Profile,
    sides: &[Role],
    args: &CheckArgs,
    mut channel: Channel,
) -> Result<Run, CliError> {
    let welcome = channel.welcome.clone();
    bind::bind(
        &mut profile,
        &OtherSide {
            roles: &welcome.sides,
            host: Some(channel.host.clone()),
            answers: &welcome.answers,
            certificate: &welcome.certificate,
        },
    );
    let certificate = Certificate::for_names(&[sys::host_name()])
        .map_err(|error| CliError::tool(format!("no certificate could be made: {error}")))?;
    let fingerprint = certificate.fingerprint.clone();
    let shared = Arc::new(Shared::new(Peers::only(listener_addresses(&channel)), certificate));
    let mine =
        session::with_surroundings(|around| plan::make(&bind::answerable(&profile, sides), sides, &args.only, around))
            .map_err(|why| CliError::usage(why.to_string()))?;
    let answers = Answers::open(&mine.answers, &shared).await;
    let (witness, began) = (Witness::start(answers.ports()), Instant::now());
    let ended = witness.ended();
    let there = listener_addresses(&channel);
    for address in &there {
        witness.probe(*address);
    }
    let plan = planned(&profile, sides, args)?;
    let observer = progress::observer(plan.probes.len());
    let own = session::run(&profile, &plan, observer, Vec::new);
    let theirs = channel.test(answers.list.clone(), fingerprint.clone(), plan.deadline);
    let (own, theirs) = tokio::join!(own, theirs);
    let mut run = own?;
    let theirs = theirs.unwrap_or_else(|error| lost(&error));
    let far = channel.what_did_you_see().await.unwrap_or_else(|error| lost(&error));
    let sighted = witness.seen_since(began, &there, &ended);
    let near = seen(&shared, &witness, sighted, &there, answers.list.clone());
    let outcomes = judged(
        run.outcomes,
        theirs,
        &Evidence {
            sides,
            far: &far,
            far_sides: &welcome.sides,
            far_certificate: welcome.certificate,
            near: &near,
            near_certificate: fingerprint,
            here: welcome.your_address,
            there,
        },
    );
    run.run.peer = Some(Peer { side: welcome.sides, address: channel.listener.to_string() });
    channel.bye().await;
    Ok(session::again(run.run, outcomes))
}

/// What this side saw of the other.
fn seen(
    shared: &Shared,
    witness: &Witness,
    sighted: Vec<Sighting>,
    there: &[IpAddr],
    answers: Vec<Answering>,
) -> Sightings {
    Sightings {
        receipts: shared.receipts.all(),
        sighted,
        means: witness.means(),
        answers,
        alone: true,
        missed: shared.receipts.missed(),
        probed: there.to_vec(),
    }
}

/// The channel broke: what it would have told is missing, and the run goes on without it.
fn lost<T: Default>(error: &CantJoin) -> T {
    output::say(&format!("The control channel was lost: {error}. What the other side saw is missing."));
    T::default()
}

/// What each side saw of the other.
struct Evidence<'a> {
    sides: &'a [Role],
    far: &'a Sightings,
    far_sides: &'a [Role],
    far_certificate: String,
    near: &'a Sightings,
    near_certificate: String,
    here: IpAddr,
    there: Vec<IpAddr>,
}

/// Each side's outcomes with what the other saw, then one list.
fn judged(mut own: Vec<Outcome>, mut theirs: Vec<Outcome>, seen: &Evidence) -> Vec<Outcome> {
    let observed = Observed {
        prober: seen.here,
        alone: seen.far.alone,
        certificate: Some(seen.far_certificate.clone()),
        governs: false,
        near: Some(seen.near),
    };
    for outcome in own.iter_mut().filter(|outcome| went_to(outcome, seen.far_sides, &seen.there)) {
        both::with_far_side(outcome, seen.far, &observed);
    }
    let prober = seen.there.first().copied().unwrap_or(seen.here);
    let observed = Observed {
        prober,
        alone: true,
        certificate: Some(seen.near_certificate.clone()),
        governs: true,
        near: Some(seen.far),
    };
    for outcome in theirs.iter_mut().filter(|outcome| went_to(outcome, seen.sides, &[seen.here])) {
        both::with_far_side(outcome, seen.near, &observed);
    }
    both::union(own, theirs)
}

/// Whether a tested flow went straight to this very machine: a role may have several, and a proxy is another.
fn went_to(outcome: &Outcome, roles: &[Role], machine: &[IpAddr]) -> bool {
    let address = outcome.facts.get(Fact::Address.word()).and_then(|address| address.as_str());
    let address =
        address.and_then(|address| address.parse::<SocketAddr>().ok()).map(|address| address.ip().to_canonical());
    outcome.tested_from.is_some()
        && roles.contains(&outcome.to)
        && !outcome.facts.contains_key(Fact::Proxy.word())
        && address.is_some_and(|address| machine.contains(&address))
}

/// The addresses that the listener's probes may come from.
fn listener_addresses(channel: &Channel) -> Vec<IpAddr> {
    let found = (!channel.through_proxy).then(|| channel.listener.ip().to_canonical());
    found.into_iter().chain(channel.listener_addresses.iter().copied()).collect()
}
