//! What must be the same for two outcomes to have one cause.
//!
//! The broadest explanation goes first: this machine itself, its name servers, its proxy, one device on the way, a host that is
//! silent on everything; only then the single port, and last the single conversation.

use std::net::{IpAddr, SocketAddr};

use crate::model::certificate::Presented;
use crate::model::code::{Code, Group};
use crate::model::evidence::{Failure, Icmp, Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::flow::Transport;
use crate::model::run::{Outcome, Peer, RunInfo};

/// What explains an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// This machine can't or may not: no route, no neighbour, a firewall of its own, no more sockets.
    Machine { tester: Tester, code: Code, failure: Option<Failure> },
    /// The name servers as such.
    NameServers { tester: Tester, code: Code, status: Status },
    /// One name.
    Name { code: Code, host: String, status: Status },
    /// The proxy as such.
    Proxy { code: Code, proxy: String, status: Status },
    /// One device rejects, with the same words.
    Device { code: Code, says: Icmp, status: Status },
    /// The way to one host carries small packets only.
    LargePackets { tester: Tester, host: String, status: Status },
    /// One device reads along in TLS.
    Interceptor { issuer: String },
    /// One place to which everything is redirected.
    Redirect { location: String },
    /// One device that has a page for everybody.
    Portal { device: IpAddr },
    /// One host that is not there, on a network that this machine is itself part of.
    Neighbour { tester: Tester, host: String },
    /// Nothing comes back from a host, whatever it is asked.
    SilentHost { tester: Tester, host: String },
    /// Nothing is exchanged with an address by which the far side is not spoken to, and always for the same reason.
    LostAlike { tester: Tester, host: String },
    /// Nothing comes back from any host.
    SilentNetwork { tester: Tester },
    /// One port.
    Port { code: Code, transport: Transport, target: String, status: Status },
    /// What was said of it.
    Sentence { code: Code, sentence: String, status: Status },
}

/// The machine that tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tester {
    This,
    Other,
}

/// What is known of all outcomes together.
pub(super) struct Surroundings<'a> {
    run: &'a RunInfo,
    silent: Vec<(Tester, String)>,
    lost_alike: Vec<(Tester, String)>,
    /// The testers for whom everything is silent, beyond one host.
    cut_off: Vec<Tester>,
}

impl<'a> Surroundings<'a> {
    pub fn of(outcomes: &[Outcome], run: &'a RunInfo) -> Self {
        let mut around = Self { run, silent: Vec::new(), lost_alike: Vec::new(), cut_off: Vec::new() };
        // Machines that talk to each other over a control channel are neither off nor cut off.
        if run.peer.is_none() {
            around.look_for_silence(outcomes);
        } else {
            around.look_for_lost_alike(outcomes);
        }
        around
    }

    /// What one side sent out to other machines, and to which.
    fn beyond<'o>(&self, outcomes: &'o [Outcome], tester: Tester) -> (Vec<&'o Outcome>, Vec<&'o str>) {
        let is_beyond = |outcome: &&Outcome| went_out(outcome) && self.tester(outcome) == tester;
        let direct: Vec<&Outcome> = outcomes.iter().filter(is_beyond).collect();
        let mut hosts: Vec<&str> = direct.iter().filter_map(|outcome| outcome.host()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        (direct, hosts)
    }

    fn look_for_silence(&mut self, outcomes: &[Outcome]) {
        for tester in [Tester::This, Tester::Other] {
            let (direct, hosts) = self.beyond(outcomes, tester);
            let of = |name: &str| -> Vec<&Outcome> {
                direct.iter().copied().filter(|outcome| outcome.host() == Some(name)).collect()
            };
            let silent: Vec<&str> = hosts.iter().copied().filter(|host| is_silent_host(&of(host))).collect();
            let cut_off = hosts.len() > 1 && all_silent(&direct) && one_last_hop(&direct);
            self.silent.extend(silent.into_iter().map(|host| (tester, host.to_owned())));
            self.cut_off.extend(cut_off.then_some(tester));
        }
    }

    fn look_for_lost_alike(&mut self, outcomes: &[Outcome]) {
        for tester in [Tester::This, Tester::Other] {
            let (direct, hosts) = self.beyond(outcomes, tester);
            for host in hosts {
                let of_host: Vec<&Outcome> =
                    direct.iter().copied().filter(|outcome| outcome.host() == Some(host)).collect();
                if of_host.iter().all(|outcome| self.is_apart(outcome, tester)) && are_lost_alike(&of_host) {
                    self.lost_alike.push((tester, host.to_owned()));
                }
            }
        }
    }

    /// Whether it surely went to another address than the control channel does. Of the far side's channel only the family of
    /// this side's address is known.
    fn is_apart(&self, outcome: &Outcome, tester: Tester) -> bool {
        let ip = |peer: &Peer| {
            let with_port = peer.address.parse::<SocketAddr>().ok().map(|address| address.ip());
            with_port.or_else(|| peer.address.parse().ok())
        };
        let channel = self.run.peer.as_ref().and_then(ip);
        channel.zip(outcome.ip(Fact::Address)).is_some_and(|(channel, asked)| {
            let (channel, asked) = (channel.to_canonical(), asked.to_canonical());
            if tester == Tester::This { channel != asked } else { channel.is_ipv4() != asked.is_ipv4() }
        })
    }

    fn tester(&self, outcome: &Outcome) -> Tester {
        let sides = &self.run.side;
        let own = outcome.tested_from.as_ref().is_none_or(|from| sides.is_empty() || sides.contains(from));
        if own { Tester::This } else { Tester::Other }
    }
}

/// Whether packets of this outcome left this machine for the target itself.
fn went_out(outcome: &Outcome) -> bool {
    let host = outcome.host().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let to_itself = host.is_some() && host == outcome.ip(Fact::LocalAddress);
    !matches!(outcome.status, Status::Skip | Status::Error)
        && proxy(outcome).is_none()
        && outcome.code.group() != Group::Name
        && !to_itself
}

fn is_silent(outcome: &Outcome) -> bool {
    // Where it is known which half was lost, the way is open as far as that.
    matches!(outcome.code, Code::Dropped | Code::NoAnswer | Code::SqlBrowserSilent)
        && outcome.lost.is_none()
        && matches!(outcome.status, Status::Fail | Status::Unknown)
}

/// Whether nothing at all came back, of a TCP port among others: UDP silence alone proves nothing.
fn all_silent(outcomes: &[&Outcome]) -> bool {
    outcomes.iter().all(|outcome| is_silent(outcome)) && outcomes.iter().any(|outcome| outcome.code == Code::Dropped)
}

/// Whether everything that was asked on several ports was lost, on the same half of the way and by the fault of the same party.
fn are_lost_alike(outcomes: &[&Outcome]) -> bool {
    let Some(first) = outcomes.first() else { return false };
    let who = |outcome: &Outcome| outcome.remedy.as_ref().map(|remedy| remedy.who);
    let alike = |outcome: &Outcome| {
        let silent = matches!(
            outcome.code,
            Code::Dropped | Code::NoAnswer | Code::SqlBrowserSilent | Code::TftpTransferPortBlocked
        );
        silent
            && matches!(outcome.status, Status::Fail | Status::Unknown)
            && outcome.path.rejected_by.is_none()
            && (outcome.lost, who(outcome)) == (first.lost, who(first))
    };
    let mut hops = outcomes.iter().filter_map(|outcome| outcome.path.last_hop).map(|hop| hop.address);
    let one_hop = hops.next().is_none_or(|hop| hops.all(|other| other == hop));
    one_hop
        && outcomes.iter().all(|outcome| alike(outcome))
        && outcomes.iter().any(|outcome| outcome.code == Code::Dropped)
        && outcomes.iter().any(|outcome| (outcome.transport, outcome.port) != (first.transport, first.port))
}

/// Whether a host is silent on every one of several ports.
fn is_silent_host(outcomes: &[&Outcome]) -> bool {
    let first = outcomes.first().map(|outcome| (outcome.transport, outcome.port));
    all_silent(outcomes) && outcomes.iter().any(|outcome| Some((outcome.transport, outcome.port)) != first)
}

/// Whether the ways to all of these end behind the same device, as far as they were followed, and one was.
fn one_last_hop(outcomes: &[&Outcome]) -> bool {
    let mut hops = outcomes.iter().filter_map(|outcome| outcome.path.last_hop).map(|hop| hop.address);
    hops.next().is_some_and(|first| hops.all(|hop| hop == first))
}

impl Cause {
    pub fn of(outcome: &Outcome, around: &Surroundings) -> Self {
        let tester = around.tester(outcome);
        let shared = silence(outcome, tester, around)
            .or_else(|| of_machine(outcome, tester))
            .or_else(|| of_device(outcome))
            .or_else(|| of_way(outcome, tester))
            .or_else(|| of_name(outcome, tester))
            .or_else(|| of_proxy(outcome))
            .or_else(|| of_content(outcome));
        shared.unwrap_or_else(|| single(outcome))
    }
}

fn silence(outcome: &Outcome, tester: Tester, around: &Surroundings) -> Option<Cause> {
    let alike = |host: &str| around.lost_alike.iter().any(|(of, name)| *of == tester && name == host);
    if let Some(host) = outcome.host().filter(|host| went_out(outcome) && alike(host)) {
        return Some(Cause::LostAlike { tester, host: host.to_owned() });
    }
    if !is_silent(outcome) || proxy(outcome).is_some() {
        return None;
    }
    let host = outcome.host()?;
    if around.cut_off.contains(&tester) {
        return Some(Cause::SilentNetwork { tester });
    }
    let silent = around.silent.iter().any(|(of, name)| *of == tester && name == host);
    silent.then(|| Cause::SilentHost { tester, host: host.to_owned() })
}

fn of_machine(outcome: &Outcome, tester: Tester) -> Option<Cause> {
    let failure = stopped_at(outcome).and_then(|step| step.error);
    let of_its_own = match outcome.code {
        Code::LocalBlock => return Some(Cause::Machine { tester, code: outcome.code, failure: None }),
        Code::Unreachable => {
            let foreign = outcome.path.rejected_by.is_some_and(|icmp| !is_own(outcome, icmp));
            !foreign && matches!(failure, Some(Failure::NetworkUnreachable | Failure::HostUnreachable))
        }
        Code::ToolError => {
            matches!(failure, Some(Failure::NoMoreSockets | Failure::AddressInUse | Failure::AddressUnavailable))
        }
        Code::TimedOut => matches!(failure, Some(Failure::Interrupted)),
        _ => false,
    };
    let on_link = outcome.holds(Fact::OnLink);
    if of_its_own && on_link && failure == Some(Failure::HostUnreachable) {
        return Some(Cause::Neighbour { tester, host: outcome.host()?.to_owned() });
    }
    let failure = failure.filter(|_| outcome.code != Code::TimedOut);
    of_its_own.then_some(Cause::Machine { tester, code: outcome.code, failure })
}

/// Whether an ICMP message is of this machine's own kernel.
fn is_own(outcome: &Outcome, icmp: Icmp) -> bool {
    icmp.from.is_some() && icmp.from.map(|from| from.to_canonical()) == outcome.ip(Fact::LocalAddress)
}

fn of_device(outcome: &Outcome) -> Option<Cause> {
    let rejecting = matches!(outcome.code, Code::Rejected | Code::Unreachable | Code::RefusedInPath);
    let says = outcome.path.rejected_by.filter(|icmp| rejecting && icmp.from.is_some())?;
    Some(Cause::Device { code: outcome.code, says, status: outcome.status })
}

fn of_way(outcome: &Outcome, tester: Tester) -> Option<Cause> {
    let host = proxy(outcome).map(host_of).or_else(|| outcome.host())?.to_owned();
    (outcome.code == Code::LargePacketsLost).then_some(Cause::LargePackets { tester, host, status: outcome.status })
}

fn of_name(outcome: &Outcome, tester: Tester) -> Option<Cause> {
    let (code, status) = (outcome.code, outcome.status);
    match code {
        Code::NameServerSilent | Code::NameServerFailed => Some(Cause::NameServers { tester, code, status }),
        _ if code.group() == Group::Name => {
            let host = proxy(outcome).map(host_of).or_else(|| outcome.host()).unwrap_or_default().to_owned();
            Some(Cause::Name { code, host, status })
        }
        _ => None,
    }
}

fn of_proxy(outcome: &Outcome) -> Option<Cause> {
    let (code, status) = (outcome.code, outcome.status);
    let proxy = proxy(outcome)?.to_owned();
    let as_such = matches!(code, Code::ProxyUnreachable | Code::ProxyAuthRequired | Code::ProxyAuthFailed);
    let at_proxy = stopped_at(outcome).is_some_and(|step| step.kind == StepKind::Proxy) && code.group() == Group::Reach;
    (as_such || at_proxy || ended_by_proxy(outcome)).then_some(Cause::Proxy { code, proxy, status })
}

/// Whether it is the proxy that ended a request in plain HTTP, which it takes without a step of its own; where it is silent, it
/// must be so to other questions too.
fn ended_by_proxy(outcome: &Outcome) -> bool {
    let tunnelled = outcome.steps.iter().any(|step| step.kind == StepKind::Proxy && step.error.is_none());
    let mute = outcome.text(Fact::ProxyItself) == Some("no answer");
    match outcome.code {
        Code::Silent => mute,
        Code::ClosedAfterConnect | Code::ResetOnPayload | Code::WrongService => !tunnelled,
        _ => false,
    }
}

fn of_content(outcome: &Outcome) -> Option<Cause> {
    match outcome.code {
        Code::TlsIntercepted => {
            let chain = outcome.facts.get(Fact::TlsChain.word())?.as_array()?.first()?.clone();
            let leaf: Presented = serde_json::from_value(chain).ok()?;
            (!leaf.issuer.is_empty()).then_some(Cause::Interceptor { issuer: leaf.issuer })
        }
        Code::HttpRedirected if outcome.text(Fact::NowhereAnswer) == Some("same") => {
            Some(Cause::Portal { device: outcome.path.last_hop?.address })
        }
        Code::HttpRedirected => Some(Cause::Redirect { location: outcome.text(Fact::Location)?.to_owned() }),
        _ => None,
    }
}

fn single(outcome: &Outcome) -> Cause {
    let (code, status, transport) = (outcome.code, outcome.status, outcome.transport);
    let target = outcome.target.clone().unwrap_or_default();
    match code.group() {
        Group::Reach | Group::Tls | Group::Proxy => Cause::Port { code, transport, target, status },
        _ if matches!(code, Code::Flaky | Code::Exposed | Code::SmbDialect | Code::SqlNotTds) => {
            Cause::Port { code, transport, target, status }
        }
        _ => Cause::Sentence { code, sentence: outcome.sentence.clone(), status },
    }
}

fn host_of(target: &str) -> &str {
    target.rsplit_once(':').map_or(target, |(host, _)| host)
}

fn proxy(outcome: &Outcome) -> Option<&str> {
    outcome.text(Fact::Proxy)
}

fn stopped_at(outcome: &Outcome) -> Option<&Step> {
    outcome.steps.iter().rev().find(|step| step.error.is_some())
}
