//! What an ICMP message in place of an answer means: what it says, and who says it.

use std::net::IpAddr;

use super::{denied, no_neighbour, refused};
use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::evidence::{Icmp, Millis};
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::flow::Transport;
use crate::model::way::Way;

/// What this machine's own firewall says comes at once.
const PROMPT: Millis = Millis(50_000);

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

/// Whether it says only that nothing listens on the port.
pub(in crate::diagnose::judge) fn is_of_a_closed_port(icmp: Icmp) -> bool {
    meaning(icmp).0 == Says::NoPort
}

pub(super) fn told(case: &Case, icmp: Icmp) -> Judgement {
    let (says, words) = meaning(icmp);
    let version = if icmp.v6 { "ICMPv6" } else { "ICMP" };
    let message = format!("{version} \"{words}\" (type {}, code {})", icmp.kind, icmp.code);
    let sender = Sender::of(case, icmp.from);
    if matches!(sender, Sender::ThisMachine) {
        return match says {
            Says::Unreachable if !has_neighbour(case) && !is_prompt(case) => no_neighbour(case),
            _ => denied(case),
        };
    }
    let judgement = match says {
        // A datagram to a closed port came to the host: nothing was lost.
        Says::NoPort if closed(case, sender) => return refused(case),
        Says::NoPort => no_port(case, &message, sender),
        Says::Unreachable if matches!(sender, Sender::Target) => host_says(case, &message),
        Says::Unreachable if tells_packets_apart(case, icmp) => rejected_in_other_words(case, &message, sender),
        Says::Unreachable => router_says(case, &message, sender),
        Says::Forbidden | Says::Other => rejected(case, &message, sender),
        Says::Loop => looping(case, &message, sender),
    };
    // The message quotes the packet that did not pass: the request.
    judgement.lost(Lost::Request)
}

/// UDP hosts answer for a closed port with this message.
fn closed(case: &Case, sender: Sender) -> bool {
    !matches!(sender, Sender::Device(_)) && case.ask.probe.protocol().transport() == Transport::Udp
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
        let own = case.own_address();
        match from.map(|from| from.to_canonical()) {
            None => Self::Unknown,
            // Before this machine: the two may be the same.
            Some(from) if case.address.is_some_and(|target| target.ip().to_canonical() == from) => Self::Target,
            Some(from) if own == Some(from) => Self::ThisMachine,
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
    .remedy(who, format!("{} {place}", case.exact_rule()))
}

/// TCP hosts answer a closed port with a reset: an ICMP message in its place is a firewall's.
fn no_port(case: &Case, message: &str, sender: Sender) -> Judgement {
    let target = case.target();
    let (who, place) = sender.keeper(case);
    match sender {
        Sender::Device(address) => Judgement::fail(
            Code::RefusedInPath,
            Confidence::Likely,
            format!(
                "{target} was refused, but not by the host: {address} answered with {message}. That is a firewall in the \
                 path, or the host behind address translation."
            ),
        ),
        _ => Judgement::fail(
            Code::Rejected,
            Confidence::Likely,
            format!("{target} can't be reached: the firewall of the host itself rejects the packets with {message}."),
        ),
    }
    .remedy(who, format!("{} {place}", case.exact_rule()))
}

/// The address that was asked says that it can't be reached: it is there, and someone speaks for it.
fn host_says(case: &Case, message: &str) -> Judgement {
    let host = &case.ask.host;
    Judgement::fail(
        Code::Rejected,
        Confidence::Likely,
        format!(
            "{} can't be reached: the host itself rejects the packets with {message}. That is its firewall; or the address \
             is a gateway's that passes the port on to a host which it can't reach.",
            case.target()
        ),
    )
    .remedy(
        Who::TargetHost,
        format!("{} The rule is in the firewall of {host} itself. If {host} is a gateway, see that the host behind it is switched on.", case.exact_rule()),
    )
}

/// Whether a device that says so passes other packets to the host, or has another word for them: then it is not that it has
/// no route, or that the host is off.
fn tells_packets_apart(case: &Case, icmp: Icmp) -> bool {
    let others = Way::of_others(case.evidence);
    let another_word = |other: Icmp| other.from == icmp.from && (other.kind, other.code) != (icmp.kind, icmp.code);
    if others.end.and_then(|end| end.icmp).is_some_and(another_word) {
        return true;
    }
    let beyond = others.hops.iter().skip_while(|hop| Some(hop.address) != icmp.from).nth(1).is_some();
    beyond || reaches_others(case)
}

/// Whether other packets to the same host are answered by it.
fn reaches_others(case: &Case) -> bool {
    let others = Way::of_others(case.evidence);
    case.address.is_some_and(|address| others.reached(address.ip()).is_some())
}

/// Whether a router or the host answered other packets: then nobody was asked for in vain on this machine's own network.
fn has_neighbour(case: &Case) -> bool {
    !Way::of_others(case.evidence).hops.is_empty() || reaches_others(case)
}

/// A system that asks for its neighbour takes seconds to give up; its own firewall does not think.
fn is_prompt(case: &Case) -> bool {
    case.evidence.stopped_at().is_some_and(|step| step.took_ms < PROMPT)
}

fn rejected_in_other_words(case: &Case, message: &str, sender: Sender) -> Judgement {
    let (who, place) = sender.keeper(case);
    Judgement::fail(
        Code::Rejected,
        Confidence::Likely,
        format!(
            "{} can't be reached: {} rejects the packets with {message}. It treats other packets to \
             the host otherwise, so that this is a firewall's word.",
            case.target(),
            sender.named()
        ),
    )
    .remedy(who, format!("{} {place}", case.exact_rule()))
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
        format!("See that {} is switched on and that {} has a route to it. {}", case.ask.host, sender.named(), case.exact_rule()),
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
