//! `bothways check --join`: both sides at once. Each runs its own flows, each tells what it saw of the other, and the two
//! make one record.
//!
//! Getting there is in [`reach`], probes from addresses that the far side does not know in [`newcomer`], ports whose holder
//! ends meanwhile in [`successor`], those that a crowd of others made late in [`crowded`], and what both sides' evidence makes of the outcomes in [`evidence`].

mod crowded;
mod evidence;
mod newcomer;
mod reach;
mod successor;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::answers::Answers;
use super::args::CheckArgs;
use super::bind::{self, OtherSide};
use super::{CliError, crowd, output, progress, session};
use crate::diagnose::unjoined;
use crate::model::ask::host_port;
use crate::model::flow::Role;
use crate::model::knock::Knocked;
use crate::model::probe::Probe;
use crate::model::run::{CutShort, Outcome, Peer, Run};
use crate::model::sighting::Sightings;
use crate::model::span::Span;
use crate::peer::joiner::{CantJoin, Channel};
use crate::peer::listener::Wanted;
use crate::peer::witness::glance::{self, Glance};
use crate::peer::witness::{Tally, Witness};
use crate::plan::{self, Plan};
use crate::profile::Profile;
use crate::responder::{Certificate, Met, Peers, Shared};
use crate::sys;
use evidence::Evidence;
pub(super) use newcomer::place;
use reach::Reached;

/// How long a WebSocket stays idle before the other side's wake-up, where the profile does not say.
const HOLD: Span = Span::seconds(1);
/// How much longer than this side's own run the other side's may take.
const GRACE: Duration = Duration::from_secs(5);

/// Runs both sides. Where the listener is not reached, this side is tested alone, and that is said.
pub(super) async fn run(mut profile: Profile, sides: &[Role], args: &CheckArgs, code: &str) -> Result<Run, CliError> {
    let stop = Stop::listen().await;
    let hosts = match reach::reach(&mut profile, sides, args, code).await? {
        Reached::Joined(channel) => {
            hold(&mut profile);
            if channel.welcome.crowd > crowd::FEW && args.timeout.is_none() && args.deadline.is_none() {
                crowd::be_patient(&mut profile);
            }
            return Both::open(profile, sides, args, *channel, stop).await?.run().await;
        }
        Reached::Missed { hosts } => hosts,
    };
    let plan = planned(&profile, sides, &args.only)?;
    let observer = progress::observer(plan.probes.len());
    let (info, mut outcomes) = session::tested_until(&profile, &plan, observer, stop.told()).await?;
    unjoined::withhold(&mut outcomes, &hosts);
    Ok(session::again(info, outcomes))
}

/// The user's word to end, from the beginning on: it may come while the listener is looked for, or waited for.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    async fn listen() -> Self {
        let (tell, told) = watch::channel(false);
        let interrupted = session::interrupted().await;
        tokio::spawn(async move {
            interrupted.await;
            let _ = tell.send(true);
            tell.closed().await;
        });
        Self(told)
    }

    /// Completes once it was said.
    fn told(&self) -> impl Future<Output = ()> + use<> {
        let mut told = self.0.clone();
        async move {
            if told.wait_for(|told| *told).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn planned(profile: &Profile, sides: &[Role], only: &[String]) -> Result<Plan, CliError> {
    session::with_surroundings(|around| plan::make(profile, sides, only, around))
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

/// This side with its responders, joined to the other.
struct Both<'a> {
    profile: Profile,
    /// The endpoints that are at the listener's address because the profile names none.
    bound: Vec<String>,
    sides: &'a [Role],
    args: &'a CheckArgs,
    channel: Channel,
    shared: Arc<Shared>,
    answers: Answers,
    witness: Arc<Witness>,
    began: Instant,
    /// What the counters said then.
    ended: Tally,
    /// Addresses that the listener showed besides those that are known.
    met: Vec<Met>,
    /// Addresses of this side that the listener learned of.
    introduced: Vec<IpAddr>,
    /// What the listener made of this side's knocks.
    knocked: Vec<Knocked>,
    /// What this side made of the listener's.
    heard: Vec<Knocked>,
    /// Why the channel was lost, once it was.
    lost: Option<String>,
    stop: Stop,
}

impl<'a> Both<'a> {
    async fn open(
        mut profile: Profile,
        sides: &'a [Role],
        args: &'a CheckArgs,
        channel: Channel,
        stop: Stop,
    ) -> Result<Self, CliError> {
        let welcome = &channel.welcome;
        let other = OtherSide {
            roles: &welcome.sides,
            host: Some(channel.host.clone()),
            hosts: std::slice::from_ref(&channel.host),
            addresses: &channel.listener_addresses,
            answers: &welcome.answers,
            certificate: &welcome.certificate,
        };
        let bound = bind::bind(&mut profile, &other);
        let certificate = Certificate::for_names(&[sys::host_name()])
            .map_err(|error| CliError::tool(format!("no certificate could be made: {error}")))?;
        // This side's own flows may go to roles that it plays itself.
        let own =
            [IpAddr::from([127, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST)].into_iter().chain(sys::own_addresses());
        let peers = channel.listener_addresses.iter().copied().chain(own).collect();
        let shared = Arc::new(Shared::new(Peers::only(peers), certificate));
        let mine = planned(&bind::answerable(&profile, sides), sides, &args.only)?;
        let answers = Answers::open(&mine.answers, &shared).await;
        let witness = Arc::new(Witness::start(answers.ports()));
        for address in &channel.listener_addresses {
            witness.probe(*address);
        }
        let ended = witness.ended();
        Ok(Self {
            profile,
            bound,
            sides,
            args,
            channel,
            shared,
            answers,
            witness,
            began: Instant::now(),
            ended,
            met: Vec::new(),
            introduced: Vec::new(),
            knocked: Vec::new(),
            heard: Vec::new(),
            lost: None,
            stop,
        })
    }

    async fn run(mut self) -> Result<Run, CliError> {
        let plan = planned(&self.profile, self.sides, &self.args.only)?;
        let profile = self.profile.clone();
        let observer = progress::observer(plan.probes.len());
        let own = session::tested_until(&profile, &plan, observer, self.stop.told());
        let stopped = self.stop.told();
        let give_up = async {
            tokio::select! {
                () = stopped => {}
                () = tokio::time::sleep(plan.deadline + GRACE) => {}
            }
        };
        let (own, theirs) = self.channel.test(self.wanted(Vec::new()), own, give_up).await;
        let (mut info, mut outcomes) = own?;
        bind::tell_family(&mut outcomes, &self.bound, &self.channel.listener_addresses);
        let mut theirs = self.or_lost(theirs);
        let mut far = self.what_did_you_see().await;
        if info.cut_short != Some(CutShort::Interrupted) {
            self.succeed(&mut theirs).await;
            if self.once_more(&mut outcomes, &mut theirs, &far).await? {
                far = self.what_did_you_see().await;
            }
            let introduced = self.introduce(&plan, &mut outcomes, &far).await?;
            let met = self.meet(&mut theirs).await;
            if introduced || met {
                far = self.what_did_you_see().await;
            }
        }
        let far = evidence::without_strangers(far, &self.knocked);
        let near = evidence::without_strangers(self.near().await, &self.heard);
        let outcomes = Evidence::of(&self, &far, &near).judged(outcomes, theirs);
        let Channel { welcome, host, port, .. } = &self.channel;
        info.peer = Some(Peer { side: welcome.sides.clone(), address: host_port(host, *port) });
        self.channel.bye().await;
        Ok(session::again(info, outcomes))
    }

    /// What the other side is asked to test: all its flows, or these.
    fn wanted(&self, checks: Vec<String>) -> Wanted {
        Wanted { answers: self.answers.list.clone(), certificate: self.shared.certificate.fingerprint.clone(), checks }
    }

    async fn what_did_you_see(&mut self) -> Sightings {
        let seen = self.channel.what_did_you_see().await;
        self.or_lost(seen)
    }

    /// What this side saw of the other.
    async fn near(&self) -> Sightings {
        let heard = self.heard.iter().filter_map(|knocked| knocked.from);
        let addresses: Vec<IpAddr> = self.listener_addresses().into_iter().chain(heard).collect();
        let (probed, peers) = (self.channel.listener_addresses.clone(), self.shared.peers.clone());
        let peer = glance::Peer { addresses, since: self.began, ended: self.ended.clone() };
        let Glance { sighted, means, strangers } =
            self.witness.glance(Instant::now(), peer, move |ip| peers.include(ip)).await;
        let (receipts, answers) = (self.shared.receipts.all(), self.answers.list.clone());
        let missed = self.shared.receipts.missed();
        Sightings { receipts, sighted, means, answers, alone: true, missed, probed, strangers }
    }

    /// The addresses that the listener's probes come from, as far as is known.
    fn listener_addresses(&self) -> Vec<IpAddr> {
        let met = self.met.iter().map(|met| met.address);
        self.channel.listener_addresses.iter().copied().chain(met).collect()
    }

    /// Goes on without what a broken channel would have told.
    fn or_lost<T: Default>(&mut self, told: Result<T, CantJoin>) -> T {
        told.unwrap_or_else(|error| {
            if self.lost.is_none() {
                output::say(&format!(
                    "The control channel was lost: {error}. This side is tested to its end; what the other side would have \
                     tested and told is missing."
                ));
                self.lost = Some(error.to_string());
            }
            T::default()
        })
    }
}

/// Puts outcomes in the place of those of the same flow.
fn replace(outcomes: &mut [Outcome], anew: Vec<Outcome>) {
    for new in anew {
        let same = |old: &&mut Outcome| old.check == new.check && old.endpoint == new.endpoint;
        if let Some(old) = outcomes.iter_mut().find(same) {
            *old = new;
        }
    }
}
