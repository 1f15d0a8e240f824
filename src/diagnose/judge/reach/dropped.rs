//! What silence means, with what was seen of the way: where the packets are lost.

use super::icmp;
use crate::diagnose::flaky;
use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::flow::Transport;
use crate::model::way::{Passed, Said, Way};

pub(super) fn judge(case: &Case) -> Judgement {
    if kept_back(case) {
        return kept_back_here(case);
    }
    let way = Way::of_port(case.evidence);
    if way.end.is_some_and(|end| end.said == Said::Accepted) {
        return taken_meanwhile(case, "did not answer this connection's requests");
    }
    if let Some(told) = told_of_way(case) {
        return told;
    }
    match way.last() {
        Some(last) => beyond(case, last),
        None if case.evidence.holds(Fact::OnLink) => on_link(case),
        None => somewhere(case),
    }
}

/// What was seen of the way tells what silence alone does not: that a device rejects, or at which one the packets are lost.
pub(in crate::diagnose::judge) fn told_of_way(case: &Case) -> Option<Judgement> {
    // Routers send only so many messages a second: that of the conversation itself may have been left out.
    let icmp = Way::of_port(case.evidence).end.and_then(|end| end.icmp);
    icmp.map(|icmp| icmp::told(case, icmp)).or_else(|| vanished(case))
}

/// The request is lost at a certain device: packets to this port get no answer from one that answers others.
fn vanished(case: &Case) -> Option<Judgement> {
    let next: Passed = serde_json::from_value(case.evidence.fact(Fact::VanishesBefore)?.clone()).ok()?;
    let way = Way::of_port(case.evidence);
    Some(match way.last() {
        Some(last) => between(case, last, &next),
        None => before_first(case, &next),
    })
}

/// Other requests to the very port were accepted while those of the conversation were not.
pub(super) fn taken_meanwhile(case: &Case, what: &str) -> Judgement {
    let target = case.target();
    let sentence = format!(
        "{target} {what}, and accepted others at the same time: the way is open for some connections only, as behind a balancer of \
         which one member does not serve, or a limit on new connections."
    );
    let remedy = Some(flaky::remedy(&target));
    Judgement { remedy, ..Judgement::warn(Code::Flaky, Confidence::Proven, sentence) }
}

/// Nothing of the port's packets was answered, and the system counted them as not sent.
fn kept_back(case: &Case) -> bool {
    case.evidence.holds(Fact::KeptBack) && Way::of_port(case.evidence) == Way::default()
}

fn kept_back_here(case: &Case) -> Judgement {
    let but = if Way::of_others(case.evidence) == Way::default() { "" } else { ", while other packets to the host do" };
    let sentence = format!(
        "{} was not reached: connection requests to it do not leave this machine{but}. Its own firewall drops them.",
        case.target()
    );
    own_firewall(case, sentence)
}

/// A refusal that is not heard from outside, to requests that the system counted as not sent.
pub(super) fn refused_here(case: &Case) -> Judgement {
    let sentence = format!(
        "{} was refused by this machine's own firewall, in the host's name: connection requests to it do not leave this machine.",
        case.target()
    );
    own_firewall(case, sentence)
}

fn own_firewall(case: &Case, sentence: String) -> Judgement {
    Judgement::fail(Code::LocalBlock, Confidence::Likely, sentence).lost(Lost::Request).remedy(
        Who::ThisHost,
        format!("Allow the outgoing flow in this machine's own firewall or security software. {}", case.exact_rule()),
    )
}

fn between(case: &Case, last: &Passed, next: &Passed) -> Judgement {
    let (hop, beyond) = (last.address, next.address);
    let (one, or_between) = if next.ttl > last.ttl + 1 {
        ("the next one that answers at all", "a device between the two, or ")
    } else {
        ("the next one", "")
    };
    let sentence = format!(
        "{} did not answer: packets to this port are dropped after hop {} ({hop}). That device still answers them, and {one}, \
         {beyond}, answers only other packets to the host.",
        case.target(),
        last.ttl
    );
    dropped(case, sentence).lost(Lost::Request).remedy(
        Who::Network,
        format!(
            "{} The rule is missing on {hop}, or, where that has none, on {or_between}{beyond}.",
            case.exact_rule()
        ),
    )
}

fn before_first(case: &Case, first: &Passed) -> Judgement {
    let sent = match case.evidence.fact(Fact::KeptBack).and_then(serde_json::Value::as_bool) {
        Some(false) => " They do leave this machine.",
        _ => " (Or this machine's own firewall keeps them back.)",
    };
    let (which, or_before) = match first.ttl {
        1 => ("the first device of the way", ""),
        _ => ("the first device of the way that answers", ", or on one before it"),
    };
    let address = first.address;
    let sentence = format!(
        "{} did not answer: packets to this port are dropped before or on {which}, {address}, which answers other packets to \
         the host.{sent}",
        case.target()
    );
    dropped(case, sentence)
        .lost(Lost::Request)
        .remedy(Who::Network, format!("{} The rule is missing on {address}{or_before}.", case.exact_rule()))
}

/// Packets to the port come as far as this device; what becomes of them after it is not seen.
fn beyond(case: &Case, last: &Passed) -> Judgement {
    let (target, host, hop, ttl) = (case.target(), &case.ask.host, last.address, last.ttl);
    let reached = case.address.and_then(|address| Way::of_others(case.evidence).reached(address.ip())?.ttl);
    if reached == Some(ttl + 1) {
        let sentence = format!(
            "{target} did not answer: packets to this port come as far as hop {ttl} ({hop}), the last device before the host, \
             which does answer other packets. They are dropped there, by the host's own firewall, or the answers are dropped \
             on the way back. (A Windows host with its firewall on also stays silent when nothing listens.)"
        );
        return dropped(case, sentence).remedy(
            Who::Network,
            format!(
                "{} Look at {hop} and at the firewall of {host} itself, and see that the service listens on port {}.",
                case.exact_rule(),
                case.ask.port
            ),
        );
    }
    if let Some(host_at) = reached {
        let sentence = format!(
            "{target} did not answer: packets to this port come as far as hop {ttl} ({hop}). No device behind it answers \
             anything, but the host does answer other packets, as hop {host_at}. They are dropped there or after it, by the \
             host's own firewall, or the answers are dropped on the way back. (A Windows host with its firewall on also stays \
             silent when nothing listens.)"
        );
        return dropped(case, sentence).remedy(
            Who::Network,
            format!("{} Look at {hop} first, and at the devices behind it. {}", case.exact_rule(), if_there(case)),
        );
    }
    let sentence = format!(
        "{target} did not answer: packets to this port come as far as hop {ttl} ({hop}), and nothing behind it answers. They are \
         dropped there or after it, the answers are dropped on the way back, or the host is off. (A Windows host with its \
         firewall on also stays silent when nothing listens.)"
    );
    dropped(case, sentence)
        .remedy(Who::Network, format!("{} Look at {hop} first. {}", case.exact_rule(), if_there(case)))
}

fn on_link(case: &Case) -> Judgement {
    let sentence = format!(
        "{} did not answer at all. No router is between this machine and the host: its own firewall drops the packets, or this \
         machine's, or it is off. (A Windows host with its firewall on also stays silent when nothing listens.)",
        case.target()
    );
    dropped(case, sentence).remedy(
        Who::TargetHost,
        format!(
            "{} The rule is one of the firewall of {} itself. {}",
            case.exact_rule(),
            case.ask.host,
            if_there(case)
        ),
    )
}

fn somewhere(case: &Case) -> Judgement {
    let sentence = format!(
        "{} did not answer at all: a firewall on the way there or back drops the packets, or the host is off. (A Windows \
         host with its firewall on also stays silent when nothing listens.)",
        case.target()
    );
    dropped(case, sentence).remedy(Who::Network, format!("{} {}", case.exact_rule(), if_there(case)))
}

fn if_there(case: &Case) -> String {
    let service = match case.ask.probe.protocol().transport() {
        Transport::Tcp => "the service listens on port",
        Transport::Udp => "the service uses port",
    };
    format!("If the rule is there, see that {} is switched on and that {service} {}.", case.ask.host, case.ask.port)
}

fn dropped(_case: &Case, sentence: String) -> Judgement {
    Judgement::fail(Code::Dropped, Confidence::Likely, sentence)
}
