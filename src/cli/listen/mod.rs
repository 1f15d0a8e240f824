//! `bothways listen`: responders for this side's roles, and a control channel for the other side to join.

mod guest;
mod host;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use super::answers::Answers;
use super::args::ListenArgs;
use super::{CliError, bind, exit, output, session};
use crate::model::flow::Role;
use crate::model::sighting::AnsweredBy;
use crate::peer::join::JoinCode;
use crate::peer::limits::Limits;
use crate::peer::listener::{self, Desk, Invitation};
use crate::peer::message::PATH;
use crate::plan::{self, PlannedAnswer};
use crate::profile::Profile;
use crate::profile::catalog::Catalog;
use crate::profile::load;
use crate::responder::{self, Admission, Certificate, ControlHook, Open, Peers, Service, Shared};
use crate::sys;
use host::Listening;

/// Where the control channel is: where proxies let a CONNECT through, else here. Where it shares an HTTPS responder's port,
/// it has the first of these that is free besides.
const CONTROL_PORTS: [u16; 2] = [443, 7443];

/// How long those who are joined may take to be told that this side ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) fn run(args: &ListenArgs) -> Result<ExitCode, CliError> {
    let catalog = Catalog::with_folder(args.checks_folder.clone());
    let profile = load::load(&args.profile, &args.set, &catalog).map_err(CliError::problems)?;
    let sides: Vec<Role> = args.side.iter().map(Role::new).collect();
    if let Some(folder) = &args.collect {
        std::fs::create_dir_all(folder)
            .map_err(|source| CliError::Write { to: folder.display().to_string(), source })?;
    }
    let runtime = session::runtime()?;
    let ended = runtime.block_on(listen(profile, sides, args));
    runtime.shutdown_background();
    ended.map(|()| ExitCode::from(exit::WORKS))
}

async fn listen(profile: Profile, sides: Vec<Role>, args: &ListenArgs) -> Result<(), CliError> {
    let hosts = hosts(&profile, &sides, args);
    let certificate = Certificate::for_names(&hosts)
        .map_err(|error| CliError::tool(format!("no certificate could be made: {error}")))?;
    let fingerprint = certificate.fingerprint.clone();
    let shared = Arc::new(Shared::new(Peers::nobody(), certificate));
    let plan =
        session::with_surroundings(|around| plan::make(&bind::answerable(&profile, &sides), &sides, &[], around))
            .map_err(|why| CliError::usage(why.to_string()))?;
    let reception: Arc<OnceLock<Reception>> = Arc::default();
    let hook = hook(&reception);
    let planned = with_hook(plan.answers, args.control_port, &hook);
    let answers = Answers::open(&planned, &shared).await;
    let with_https = shared_port(&planned, &answers);
    let (port, _control) = control(with_https, args.control_port, &shared, &hook)?;
    let (other_port, _other) = with_https.and_then(|_| besides(&answers, &shared, &hook)).unzip();
    output::say("Listening:");
    output::say(&answers.describe());
    let other = other_port.map_or_else(String::new, |other| format!(", {other}"));
    output::say(&format!("  control channel      TCP {port}{other}"));
    let unjoined = if args.word.is_some() { named_peers(&profile, &sides, args) } else { Vec::new() };
    let _admitted: Vec<Admission> = unjoined.iter().map(|address| shared.peers.admit(*address)).collect();
    let token = *uuid::Uuid::new_v4().as_bytes();
    let invitation = Invitation { token, until: Instant::now() + args.expires.0 };
    let Answers { open: _open, list } = answers;
    let desk = Desk::new(invitation, Limits::default());
    let listening = Listening::new(profile, sides, list, shared, args.collect.clone());
    let _ = reception.set(Reception { listening: Arc::clone(&listening), desk });
    let stopped = session::interrupted().await;
    invite(&code(hosts, (port, other_port), &fingerprint, token, args.expires.0)?, args.join_file.as_deref())?;
    tokio::select! {
        () = listening.gone.notified(), if args.once => {}
        () = stopped => {
            let ended = tokio::time::timeout(LAST_WORDS, listening.end()).await;
            output::say(if ended.is_ok() { "Stopped." } else { "Stopped, without what some of those that were joined saw." });
        }
    }
    if let Some(word) = &args.word {
        listening.keep_by_hand(word, &unjoined);
    }
    Ok(())
}

/// The addresses that are answered without a join code: what the operator names, and the hosts of the other roles.
fn named_peers(profile: &Profile, sides: &[Role], args: &ListenArgs) -> Vec<IpAddr> {
    let others = profile.endpoints.iter().filter(|endpoint| !sides.iter().any(|side| side.as_str() == endpoint.role));
    let hosts = others.filter_map(|endpoint| endpoint.host.as_deref()?.parse().ok());
    args.peer.iter().copied().chain(hosts).collect()
}

/// What the control channel's callers are brought to.
struct Reception {
    listening: Arc<Listening>,
    desk: Desk,
}

fn hook(reception: &Arc<OnceLock<Reception>>) -> ControlHook {
    let reception = Arc::clone(reception);
    ControlHook::new(PATH, move |stream, from, _| {
        let reception = Arc::clone(&reception);
        async move {
            if let Some(Reception { listening, desk }) = reception.get() {
                let host: Arc<dyn listener::Host> = Arc::clone(listening) as _;
                listener::serve(stream, from, desk, host).await;
            }
        }
    })
}

/// Without a port of its own the control channel shares that of an HTTPS responder.
fn with_hook(mut planned: Vec<PlannedAnswer>, own_port: Option<u16>, hook: &ControlHook) -> Vec<PlannedAnswer> {
    for answer in &mut planned {
        if let Service::Http(http) = &mut answer.service
            && http.https
            && own_port.is_none()
        {
            http.control = Some(hook.clone());
        }
    }
    planned
}

/// The port of the control channel, and its listeners where it has a port of its own.
fn control(
    with_https: Option<u16>,
    own_port: Option<u16>,
    shared: &Arc<Shared>,
    hook: &ControlHook,
) -> Result<(u16, Vec<Open>), CliError> {
    if let Some(port) = with_https {
        return Ok((port, Vec::new()));
    }
    let wanted = own_port.map_or(CONTROL_PORTS.to_vec(), |port| vec![port]);
    let mut tried = Vec::new();
    for port in wanted {
        match open_everywhere(port, shared, hook) {
            Ok(open) => return Ok((port, open)),
            Err(error) => tried.push(format!("TCP {port}: {error}")),
        }
    }
    let tried = tried.join("; ");
    Err(CliError::usage(format!("no port for the control channel ({tried}); name a free one with --control-port")))
}

/// A port of the control channel's own beside the one that it shares, so that the other side can join where that one is what
/// is blocked. Not one of the flows' ports; where none is to be had, the shared one is all there is.
fn besides(answers: &Answers, shared: &Arc<Shared>, hook: &ControlHook) -> Option<(u16, Vec<Open>)> {
    let free = |port: &u16| answers.ports().iter().all(|(_, taken)| taken != port);
    CONTROL_PORTS.into_iter().filter(free).find_map(|port| Some((port, open_everywhere(port, shared, hook).ok()?)))
}

fn open_everywhere(port: u16, shared: &Arc<Shared>, hook: &ControlHook) -> std::io::Result<Vec<Open>> {
    let address = |ip: IpAddr| SocketAddr::new(ip, port);
    let open = |ip: IpAddr| responder::open_control(address(ip), Arc::clone(shared), hook.clone());
    let mut list = vec![open(Ipv4Addr::UNSPECIFIED.into())?];
    // A machine without IPv6 is joined over IPv4 alone.
    list.extend(open(Ipv6Addr::UNSPECIFIED.into()).ok());
    Ok(list)
}

/// The port that the control channel shares with an HTTPS responder, where one is open.
fn shared_port(planned: &[PlannedAnswer], answers: &Answers) -> Option<u16> {
    let carries = |answer: &&PlannedAnswer| matches!(&answer.service, Service::Http(http) if http.control.is_some());
    let open = |port: u16| answers.list.iter().any(|line| line.port == port && line.by == AnsweredBy::Responder);
    planned.iter().filter(carries).map(|answer| answer.port).find(|port| open(*port))
}

/// Where this listener may be reached: what the operator names, what the profile names, then this machine's own addresses.
fn hosts(profile: &Profile, sides: &[Role], args: &ListenArgs) -> Vec<String> {
    let own = profile.endpoints.iter().filter(|endpoint| sides.iter().any(|side| side.as_str() == endpoint.role));
    let named = args.advertise.iter().cloned().chain(own.filter_map(|endpoint| endpoint.host.clone()));
    let mut hosts: Vec<String> = Vec::new();
    for host in named.chain(sys::own_addresses().iter().map(ToString::to_string)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() {
        hosts.push(Ipv4Addr::LOCALHOST.to_string());
    }
    hosts
}

fn code(
    hosts: Vec<String>,
    (port, other_port): (u16, Option<u16>),
    fingerprint: &str,
    token: [u8; 16],
    valid: Duration,
) -> Result<JoinCode, CliError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let digest = (0..32).map(|n| fingerprint.get(2 * n..2 * n + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    let digest: Option<Vec<u8>> = digest.collect();
    let fingerprint = digest.and_then(|digest| digest.try_into().ok());
    let Some(fingerprint) = fingerprint else {
        return Err(CliError::tool("the certificate's fingerprint is not one".to_owned()));
    };
    Ok(JoinCode { hosts, port, other_port, fingerprint, token, expires: now + valid.as_secs() })
}

/// Hands the join code over: a file for pipelines, a line to paste for people.
fn invite(code: &JoinCode, file: Option<&Path>) -> Result<(), CliError> {
    if let Some(path) = file {
        // Written beside and moved there, so that whoever waits for the file finds it whole.
        let beside = path.with_extension("part");
        let failed = |source| CliError::Write { to: path.display().to_string(), source };
        std::fs::write(&beside, format!("{code}\n")).map_err(failed)?;
        std::fs::rename(&beside, path).map_err(failed)?;
    }
    output::say("The other side joins with:");
    output::to_stdout(format!("{code}\n").as_bytes())
}
