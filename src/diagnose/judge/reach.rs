//! What it means that a host and port can't be reached, for every protocol: TCP connections that don't open, and datagrams
//! that an ICMP message answers.

mod answerer;
mod dropped;
mod icmp;

pub use answerer::has_stand_in;
pub(in crate::diagnose) use answerer::is_host;
pub(super) use answerer::{Answerer, last_hop, unmask, who_answers, with_device};
pub(super) use dropped::told_of_way;
pub(super) use icmp::is_of_a_closed_port;

use super::{Case, proxy, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, Millis, Step};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
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
        return icmp::told(case, icmp);
    }
    match failure {
        Failure::Refused => refused(case),
        Failure::TimedOut => dropped::judge(case),
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
        Failure::NoMoreSockets => Some(
            Judgement::error(format!("{first_hop} was not tried: this machine gives the program no more sockets."))
                .remedy(
                    Who::ThisHost,
                    "Let the program hold more open files (`ulimit -n`), or run fewer checks at once with `--only`.",
                ),
        ),
        _ => None,
    }
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
    .remedy(Who::Network, case.exact_rule())
}

fn refused(case: &Case) -> Judgement {
    let transport = case.ask.probe.protocol().transport();
    if case.evidence.holds(Fact::KeptBack) {
        return dropped::refused_here(case);
    }
    let number = |fact| case.evidence.number(fact).unwrap_or_default();
    if number(Fact::ConnectsTried) > number(Fact::ConnectsRepeated) {
        return dropped::taken_meanwhile(case, "refused this connection");
    }
    if let Some(stranger) = case.address.and_then(|address| answerer::stranger(case.evidence, address.ip())) {
        return answerer::refused_in_path(case, stranger);
    }
    let who = if case.address.is_some_and(|address| answerer::is_host(case.evidence, address.ip())) {
        "nothing listens on the port, or the host's own firewall refuses. (The refusal comes from as far away as the host.)"
    } else {
        "nothing listens on the port, or a firewall answers in the host's place."
    };
    let what = match transport {
        Transport::Tcp => "connection",
        Transport::Udp => "datagram",
    };
    Judgement::fail(Code::Refused, Confidence::Likely, format!("{} refused the {what}: {who}", case.target())).remedy(
        Who::TargetHost,
        format!(
            "See that the service runs on {} and listens on {transport} {}. If it does, a firewall refuses: {}",
            case.ask.host,
            case.ask.port,
            case.exact_rule()
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
            format!("Look for an `unreachable` route to {} on this machine. {}", case.ask.host, case.exact_rule()),
        )
        .lost(Lost::Request);
    }
    no_neighbour(case)
}

/// The target, or the gateway to it, is on a network of this machine, which asked there for it in vain.
fn no_neighbour(case: &Case) -> Judgement {
    let (target, host) = (case.target(), &case.ask.host);
    let on_link = case.evidence.fact(Fact::OnLink).and_then(serde_json::Value::as_bool);
    let sentence = match on_link {
        Some(true) => format!(
            "{target} can't be reached: no host answers for that address on the network that this machine is itself part of."
        ),
        Some(false) => format!(
            "{target} can't be reached: the gateway to it does not answer on the network that this machine is itself part of."
        ),
        None => format!(
            "{target} can't be reached: no host answers for that address on the network that this machine is itself part of, or \
             for the gateway to it."
        ),
    };
    let judgement = Judgement::fail(Code::Unreachable, Confidence::Likely, sentence).lost(Lost::Request);
    if on_link == Some(false) {
        return judgement.remedy(
            Who::Network,
            format!("See that this machine's gateway is up, and that the route to {host} names the right one."),
        );
    }
    judgement.remedy(
        Who::TargetHost,
        format!(
            "See that {host} is switched on and has this address (or correct it in the profile), and that this machine's gateway \
             is up."
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
    .lost(Lost::Request)
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
            case.exact_rule()
        ),
    )
    .lost(Lost::Request)
}

fn cut(case: &Case) -> Judgement {
    Judgement::fail(
        Code::ResetAfterConnect,
        Confidence::Likely,
        format!("{} cut the connection while it was being opened.", case.target()),
    )
    .remedy(Who::Network, format!("{} Exempt the flow from a device that resets it.", case.exact_rule()))
}
