//! What it means that a host and port can't be reached, for every protocol: TCP connections that don't open, and datagrams
//! that an ICMP message answers.

use std::net::{IpAddr, SocketAddr};

use super::{Case, proxy, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, Icmp, Millis, Step};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::flow::Transport;

/// Neighbours that don't answer are given up after three questions, a second apart; anything faster was not a neighbour.
const NEIGHBOUR: Millis = Millis(900_000);

pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    if let Some(local) = own_trouble(case, failure) {
        return local;
    }
    if case.ask.proxy().is_some() {
        return proxy::unreachable(case, failure);
    }
    let Some(step) = case.evidence.stopped_at() else { return unforeseen(case) };
    if let Some(icmp) = step.icmp {
        return told_by_icmp(case, icmp);
    }
    match failure {
        Failure::Refused => refused(case),
        Failure::TimedOut => dropped(case),
        Failure::Rejected => rejected_somehow(case),
        Failure::HostUnreachable => no_host(case, step),
        Failure::NetworkUnreachable => no_route(case),
        Failure::Denied => denied(case),
        Failure::Reset | Failure::Closed => cut(case),
        _ => unforeseen(case),
    }
}

/// This machine can't even begin: a setting is wrong, or it has run out of ports. Says nothing of the network.
fn own_trouble(case: &Case, failure: Failure) -> Option<Judgement> {
    let (host, port) = case.ask.first_hop();
    let first_hop = crate::model::ask::host_port(host, port);
    let source = case.ask.source.map_or_else(|| "any".to_owned(), |source| source.to_string());
    match failure {
        Failure::AddressUnavailable if case.ask.source.is_some() => Some(
            Judgement::error(format!(
                "{first_hop} was not tried: the source address {source} is not an address of this machine."
            ))
            .remedy(Who::Profile, "Correct or remove `source` of the endpoint that this machine plays."),
        ),
        Failure::AddressUnavailable => Some(
            Judgement::error(format!(
                "{first_hop} was not tried: this machine has no address or no free port to speak from to it."
            ))
            .remedy(
                Who::ThisHost,
                "Give this machine an address of that family, or end programs that hold all its ports.",
            ),
        ),
        Failure::AddressInUse => Some(
            Judgement::error(format!(
                "{first_hop} was not tried: no free port to speak from (source address {source})."
            ))
            .remedy(
                Who::ThisHost,
                "End programs that hold very many connections, or wait until the system frees their ports.",
            ),
        ),
        _ => None,
    }
}

/// What an ICMP message says of the way, by type and code (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// No such port; only a host says so of itself, or a firewall in its place.
    NoPort,
    /// No route, or no such host.
    Unreachable,
    /// Forbidden by a rule.
    Forbidden,
    /// The packet went round until its time was up.
    Loop,
    Other,
}

#[expect(clippy::match_same_arms, reason = "a table in the order of the codes reads better than one grouped by words")]
fn meaning(icmp: Icmp) -> (Says, &'static str) {
    match (icmp.v6, icmp.kind, icmp.code) {
        (false, 3, 0) => (Says::Unreachable, "network unreachable"),
        (false, 3, 1) => (Says::Unreachable, "host unreachable"),
        (false, 3, 2) => (Says::Forbidden, "protocol unreachable"),
        (false, 3, 3) => (Says::NoPort, "port unreachable"),
        (false, 3, 4) => (Says::Other, "fragmentation needed"),
        (false, 3, 6) => (Says::Unreachable, "network unknown"),
        (false, 3, 7) => (Says::Unreachable, "host unknown"),
        (false, 3, 9) => (Says::Forbidden, "network administratively prohibited"),
        (false, 3, 10) => (Says::Forbidden, "host administratively prohibited"),
        (false, 3, 11) => (Says::Unreachable, "network unreachable for this type of service"),
        (false, 3, 12) => (Says::Unreachable, "host unreachable for this type of service"),
        (false, 3, 13) => (Says::Forbidden, "communication administratively prohibited"),
        (true, 1, 0) => (Says::Unreachable, "no route to destination"),
        (true, 1, 1) => (Says::Forbidden, "communication administratively prohibited"),
        (true, 1, 2) => (Says::Unreachable, "beyond scope of source address"),
        (true, 1, 3) => (Says::Unreachable, "address unreachable"),
        (true, 1, 4) => (Says::NoPort, "port unreachable"),
        (true, 1, 5) => (Says::Forbidden, "source address failed the policy"),
        (true, 1, 6) => (Says::Forbidden, "reject route"),
        (true, 2, _) => (Says::Other, "packet too big"),
        (false, 11, 0) | (true, 3, 0) => (Says::Loop, "time to live exceeded"),
        _ => (Says::Other, "an uncommon ICMP error"),
    }
}

fn told_by_icmp(case: &Case, icmp: Icmp) -> Judgement {
    let (says, words) = meaning(icmp);
    let version = if icmp.v6 { "ICMPv6" } else { "ICMP" };
    let message = format!("{version} \"{words}\" (type {}, code {})", icmp.kind, icmp.code);
    let sender = Sender::of(case, icmp.from);
    if matches!(sender, Sender::ThisMachine) {
        return match says {
            Says::Unreachable => no_neighbour(case),
            _ => denied(case),
        };
    }
    match says {
        Says::NoPort => no_port(case, &message, sender),
        Says::Unreachable => router_says(case, &message, sender),
        Says::Forbidden | Says::Other => rejected(case, &message, sender),
        Says::Loop => looping(case, &message, sender),
    }
}

/// Who sent an ICMP message.
#[derive(Debug, Clone, Copy)]
enum Sender {
    /// The kernel of this machine, to itself.
    ThisMachine,
    Target,
    Device(IpAddr),
    Unknown,
}

impl Sender {
    fn of(case: &Case, from: Option<IpAddr>) -> Self {
        let own = case.evidence.text(Fact::LocalAddress).and_then(|local| local.parse::<SocketAddr>().ok());
        match from.map(|from| from.to_canonical()) {
            None => Self::Unknown,
            Some(from) if own.is_some_and(|own| own.ip().to_canonical() == from) => Self::ThisMachine,
            Some(from) if case.address.is_some_and(|target| target.ip().to_canonical() == from) => Self::Target,
            Some(from) => Self::Device(from),
        }
    }

    /// As the subject of a sentence.
    fn named(self) -> String {
        match self {
            Self::ThisMachine => "this machine itself".to_owned(),
            Self::Target => "the host itself".to_owned(),
            Self::Device(address) => format!("the device {address} in the path"),
            Self::Unknown => "a device in the path".to_owned(),
        }
    }

    /// Who can change the rule, and where it is.
    fn keeper(self, case: &Case) -> (Who, String) {
        match self {
            Self::ThisMachine => (Who::ThisHost, "The rule is in the firewall of this machine.".to_owned()),
            Self::Target => (Who::TargetHost, format!("The rule is in the firewall of {} itself.", case.ask.host)),
            Self::Device(address) => (Who::Network, format!("The rule is on {address}.")),
            Self::Unknown => (Who::Network, "The rule is on a device in the path.".to_owned()),
        }
    }
}

fn rejected(case: &Case, message: &str, sender: Sender) -> Judgement {
    let (who, place) = sender.keeper(case);
    Judgement::fail(
        Code::Rejected,
        Confidence::Proven,
        format!("{} can't be reached: {} rejects the packets with {message}.", case.target(), sender.named()),
    )
    .remedy(who, format!("{} {place}", case.rule()))
}

/// TCP hosts answer a closed port with a reset: an ICMP message in its place is a firewall's. UDP hosts answer with it.
fn no_port(case: &Case, message: &str, sender: Sender) -> Judgement {
    let target = case.target();
    let (who, place) = sender.keeper(case);
    match (sender, case.ask.probe.protocol().transport()) {
        (Sender::Device(address), _) => Judgement::fail(
            Code::RefusedInPath,
            Confidence::Likely,
            format!(
                "{target} was refused, but not by the host: {address} answered with {message}. That is a firewall in the \
                 path, or the host behind address translation."
            ),
        ),
        (_, Transport::Tcp) => Judgement::fail(
            Code::Rejected,
            Confidence::Likely,
            format!("{target} can't be reached: the firewall of the host itself rejects the packets with {message}."),
        ),
        (_, Transport::Udp) => return refused(case),
    }
    .remedy(who, format!("{} {place}", case.rule()))
}

fn router_says(case: &Case, message: &str, sender: Sender) -> Judgement {
    Judgement::fail(
        Code::Unreachable,
        Confidence::Likely,
        format!(
            "{} can't be reached: {} says {message}. There is no route from there, the host is off, or a firewall rejects \
             in these words.",
            case.target(),
            sender.named()
        ),
    )
    .remedy(
        Who::Network,
        format!("See that {} is switched on and that {} has a route to it. {}", case.ask.host, sender.named(), case.rule()),
    )
}

fn looping(case: &Case, message: &str, sender: Sender) -> Judgement {
    Judgement::fail(
        Code::Unreachable,
        Confidence::Proven,
        format!(
            "{} can't be reached: {} answers with {message}; packets go in a circle.",
            case.target(),
            sender.named()
        ),
    )
    .remedy(Who::Network, format!("Correct the routes to {} around {}.", case.ask.host, sender.named()))
}

fn rejected_somehow(case: &Case) -> Judgement {
    Judgement::fail(
        Code::Rejected,
        Confidence::Likely,
        format!(
            "{} can't be reached: an ICMP message rejects the packets; the system did not say whose.",
            case.target()
        ),
    )
    .remedy(Who::Network, case.rule())
}

fn refused(case: &Case) -> Judgement {
    let transport = case.ask.probe.protocol().transport();
    Judgement::fail(
        Code::Refused,
        Confidence::Likely,
        format!(
            "{} refused the {}: nothing listens on the port, or a firewall answers in the host's place.",
            case.target(),
            match transport {
                Transport::Tcp => "connection",
                Transport::Udp => "datagram",
            }
        ),
    )
    .remedy(
        Who::TargetHost,
        format!(
            "See that the service runs on {} and listens on {transport} {}. If it does, a firewall refuses: {}",
            case.ask.host,
            case.ask.port,
            case.rule()
        ),
    )
}

fn dropped(case: &Case) -> Judgement {
    Judgement::fail(
        Code::Dropped,
        Confidence::Likely,
        format!(
            "{} did not answer at all: a firewall on the way there or back drops the packets, or the host is off. (A Windows \
             host with its firewall on also stays silent when nothing listens.)",
            case.target()
        ),
    )
    .remedy(
        Who::Network,
        format!(
            "{} If the rule is there, see that {} is switched on and that the service listens on port {}.",
            case.rule(),
            case.ask.host,
            case.ask.port
        ),
    )
}

fn no_host(case: &Case, step: &Step) -> Judgement {
    if step.took_ms < NEIGHBOUR {
        let target = case.target();
        return Judgement::fail(
            Code::Unreachable,
            Confidence::Likely,
            format!("{target} can't be reached: this machine's routes say that the host is unreachable, or a device rejects in these words."),
        )
        .remedy(
            Who::ThisHost,
            format!("Look for an `unreachable` route to {} on this machine. {}", case.ask.host, case.rule()),
        );
    }
    no_neighbour(case)
}

/// The target is on a network of this machine, which asked there for the host in vain.
fn no_neighbour(case: &Case) -> Judgement {
    Judgement::fail(
        Code::Unreachable,
        Confidence::Likely,
        format!(
            "{} can't be reached: no host answers for that address on the network that this machine is itself part of, or              for the gateway to it.",
            case.target()
        ),
    )
    .remedy(
        Who::TargetHost,
        format!(
            "See that {} is switched on and has this address (or correct it in the profile), and that this machine's gateway              is up.",
            case.ask.host
        ),
    )
}

fn no_route(case: &Case) -> Judgement {
    Judgement::fail(
        Code::Unreachable,
        Confidence::Proven,
        format!("{} can't be reached: this machine has no route to that address.", case.target()),
    )
    .remedy(
        Who::ThisHost,
        format!(
            "Set a default gateway or a route to {} on this machine, or connect the VPN that carries it.",
            case.ask.host
        ),
    )
}

fn denied(case: &Case) -> Judgement {
    Judgement::fail(
        Code::LocalBlock,
        Confidence::Likely,
        format!("{} was not reached: this machine's own system forbids the connection.", case.target()),
    )
    .remedy(
        Who::ThisHost,
        format!(
            "Allow the outgoing flow in this machine's firewall, security software or routes (a `prohibit` route). {}",
            case.rule()
        ),
    )
}

fn cut(case: &Case) -> Judgement {
    Judgement::fail(
        Code::ResetAfterConnect,
        Confidence::Likely,
        format!("{} cut the connection while it was being opened.", case.target()),
    )
    .remedy(Who::Network, format!("{} Exempt the flow from a device that resets it.", case.rule()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Says, meaning};
    use crate::model::evidence::Icmp;

    #[test]
    fn prohibitions_of_both_families_are_recognised() {
        for (kind, code, v6) in
            [(3, 9, false), (3, 10, false), (3, 13, false), (1, 1, true), (1, 5, true), (1, 6, true)]
        {
            assert_eq!(meaning(Icmp { kind, code, from: None, v6 }).0, Says::Forbidden, "type {kind} code {code}");
        }
    }

    proptest! {
        #[test]
        fn every_message_has_words(kind: u8, code: u8, v6: bool) {
            let (_, words) = meaning(Icmp { kind, code, from: None, v6 });
            prop_assert!(!words.is_empty());
        }
    }
}
