//! Who answers on a port: the host itself, or a device before it that refuses or accepts in its name.
//!
//! Two distances tell. There: the least time to live at which the port is answered, where other packets with as much still
//! end at a device on the way. Back: how many routers the answer has passed, where the host's other answers pass more.

use std::net::{IpAddr, SocketAddr};

use crate::diagnose::judge::Case;
use crate::model::code::Code;
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Status, Who};
use crate::model::flow::Transport;
use crate::model::run::Hop;
use crate::model::way::{Answered, Passed, Rejecting, Said, Way, routers_passed};

/// Somebody before the host who answers in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stranger {
    /// Which device it is, where the distances fit only one.
    pub device: Option<Hop>,
    /// The last device that is surely before it.
    pub after: Option<Hop>,
    pub confidence: Confidence,
}

impl Stranger {
    /// As the subject of a sentence.
    pub fn named(&self) -> String {
        match (self.device, self.after) {
            (Some(device), _) => format!("the device {} (hop {})", device.address, device.ttl),
            (None, Some(after)) => format!("a device at or after hop {} ({})", after.ttl, after.address),
            (None, None) => "a device on the way".to_owned(),
        }
    }
}

/// Who answers on the port in the host's place, where the distances say that it is not the host.
pub(super) fn stranger(evidence: &Evidence, host: IpAddr) -> Option<Stranger> {
    let (way, others) = (Way::of_port(evidence), Way::of_others(evidence));
    let answer = way.end.filter(|end| matches!(end.said, Said::Accepted | Said::Refused))?;
    let own = others.reached(host);
    let (back, own_back) = (passed(&answer), own.and_then(passed));
    let nearer_back = back.zip(own_back).map(|(back, own)| back < own);
    let goes_on =
        |ttl| others.hops.iter().any(|hop| hop.ttl >= ttl) || own.and_then(|own| own.ttl).is_some_and(|own| own > ttl);
    let nearer_there = answer.ttl.map(goes_on);
    let confidence = match (nearer_there, nearer_back) {
        (Some(true), Some(true)) => Confidence::Proven,
        (Some(true), None) | (_, Some(true)) => Confidence::Likely,
        (Some(false), None) if comes_from_last_hop(&way, &answer) => Confidence::Likely,
        // As far away as the host itself, or nobody knows.
        _ => return None,
    };
    Some(Stranger { device: device(&way, &others, &answer), after: way.last().map(hop), confidence })
}

/// Whether somebody before the host accepts on the port in its name.
#[must_use]
pub fn has_stand_in(evidence: &Evidence, host: IpAddr) -> bool {
    stranger(evidence, host).is_some()
}

/// Whether the answer has passed fewer routers than there are, as the last of them itself would send it.
fn comes_from_last_hop(way: &Way, answer: &Answered) -> bool {
    let Some(last) = answer.ttl.and_then(|ttl| way.at(ttl.checked_sub(1)?)) else { return false };
    // A way back of another length would show in the answers of the devices too.
    let even = way.hops.iter().all(|hop| hop.arrived.is_none_or(|arrived| routers_passed(arrived) + 1 == hop.ttl));
    even && last.arrived.is_some() && last.arrived.map(routers_passed) == passed(answer)
}

/// The device that the answer can come from: a router answers before or after it has counted the packet's time down.
fn device(way: &Way, others: &Way, answer: &Answered) -> Option<Hop> {
    let at = |ttl: u8| way.at(ttl).or_else(|| others.at(ttl));
    let back = passed(answer)?;
    let as_far = |hop: &&Passed| hop.arrived.map(routers_passed) == Some(back);
    let near = answer.ttl.map_or_else(
        || others.hops.iter().find(as_far),
        |ttl| [ttl.saturating_sub(1), ttl].into_iter().filter_map(at).find(as_far),
    );
    near.map(hop)
}

fn passed(answer: &Answered) -> Option<u8> {
    answer.arrived.map(routers_passed)
}

fn hop(passed: &Passed) -> Hop {
    Hop { ttl: passed.ttl, address: passed.address }
}

/// Whether the answer has passed as many routers as other answers of the host.
pub(in crate::diagnose) fn is_host(evidence: &Evidence, host: IpAddr) -> bool {
    let answer = Way::of_port(evidence).end.as_ref().and_then(passed);
    let own = Way::of_others(evidence).reached(host).and_then(passed);
    answer.is_some() && answer == own
}

/// The device that ends the way, as the record names it: who answers in the host's place, whose ICMP message ended it, else
/// the last that answered before the packets were lost.
pub(in crate::diagnose::judge) fn last_hop(evidence: &Evidence, host: Option<IpAddr>, code: Code) -> Option<Hop> {
    let way = Way::of_port(evidence);
    let by_another = matches!(
        code,
        Code::RefusedInPath
            | Code::AcceptedInPath
            | Code::SqlInstancePortBlocked
            | Code::TlsDropped
            | Code::TlsReset
            | Code::TlsNotSpoken
            | Code::HttpRedirected
    );
    if by_another && let Some(stranger) = host.and_then(|host| stranger(evidence, host)) {
        return stranger.device.or(stranger.after);
    }
    if code == Code::LargePacketsLost {
        let large = Way::of_large(evidence);
        return large.last().filter(|_| large.end.is_none()).map(hop);
    }
    let icmp = evidence.stopped_at().and_then(|step| step.icmp).or_else(|| way.end?.icmp);
    if let Some(from) = icmp.and_then(|icmp| icmp.from) {
        let others = Way::of_others(evidence);
        let passed = way.hops.iter().chain(&others.hops).find(|passed| passed.address == from);
        return passed.map(hop).or_else(|| rejecting(evidence, host, from));
    }
    let lost = evidence.stopped_at().is_some_and(|step| step.error == Some(Failure::TimedOut)) && way.end.is_none();
    way.last().filter(|_| lost).map(hop)
}

/// The sender of an ICMP message who told of no packet that its time was up: how far away it is, its message has shown on its
/// way back.
fn rejecting(evidence: &Evidence, host: Option<IpAddr>, from: IpAddr) -> Option<Hop> {
    let told = evidence.fact(Fact::RejectedFrom).and_then(|fact| serde_json::from_value(fact.clone()).ok());
    let told = told.filter(|told: &Rejecting| told.address == from).map(|told| told.arrived);
    let (way, others) = (Way::of_port(evidence), Way::of_others(evidence));
    let aside = || {
        let ends = [way.end, others.end].into_iter().flatten();
        ends.filter(|end| end.icmp.and_then(|icmp| icmp.from) == Some(from)).find_map(|end| end.arrived)
    };
    let ttl = routers_passed(told.or_else(aside)?) + 1;
    let is_own = Some(from.to_canonical()) == own_address(evidence) || Some(from) == host;
    let even = |hop: &Passed| hop.arrived.is_none_or(|arrived| routers_passed(arrived) + 1 == hop.ttl);
    let fits = way.hops.iter().chain(&others.hops).all(|hop| hop.ttl != ttl && even(hop));
    (fits && !is_own).then_some(Hop { ttl, address: from })
}

/// The address that this machine speaks from to the target.
fn own_address(evidence: &Evidence) -> Option<IpAddr> {
    let local = evidence.text(Fact::LocalAddress).and_then(|local| local.parse::<SocketAddr>().ok());
    let own = local.map(|local| local.ip()).or_else(|| evidence.text(Fact::SourceAddress)?.parse().ok());
    own.map(|ip| ip.to_canonical())
}

pub(super) fn refused_in_path(case: &Case, stranger: Stranger) -> Judgement {
    let who = stranger.named();
    // No device that is asked before it has answered, and this machine could not tell whether the requests leave it.
    let way = Way::of_port(case.evidence);
    let first = way.hops.is_empty() && way.end.and_then(|end| end.ttl) == Some(1);
    let unsure = first && case.evidence.fact(Fact::KeptBack).is_none();
    let confidence = if unsure { stranger.confidence.min(Confidence::Likely) } else { stranger.confidence };
    let or_here = if unsure { " Or this machine's own firewall refuses it." } else { "" };
    let place = stranger
        .device
        .or(stranger.after)
        .map_or_else(String::new, |hop| format!(" The rule is missing on {}.", hop.address));
    Judgement::fail(
        Code::RefusedInPath,
        confidence,
        format!(
            "{} was refused, but not by the host: the refusal comes from nearer than the host is. It is {who} that answers in the \
             host's name.{or_here}",
            case.target()
        ),
    )
    .lost(Lost::Request)
    .remedy(Who::Network, format!("{}{place}", case.exact_rule()))
}

/// Who it is that accepted and answered: a device on the way, or the host itself; nothing where the distances don't say.
pub(in crate::diagnose::judge) fn who_answers(case: &Case) -> Option<Answerer> {
    let host = case.address?.ip();
    if let Some(stranger) = stranger(case.evidence, host) {
        return Some(Answerer::Device { named: stranger.named(), confidence: stranger.confidence });
    }
    is_host(case.evidence, host).then_some(Answerer::Host)
}

/// Who answers on a port.
pub(in crate::diagnose::judge) enum Answerer {
    Host,
    Device { named: String, confidence: Confidence },
}

/// A judgement that rests on an accept alone says who accepted, where that was not the host.
pub(in crate::diagnose::judge) fn unmask(case: &Case, judgement: Judgement) -> Judgement {
    match accepted_by_another(case, &judgement) {
        Some(stranger) => accepted_in_path(case, &judgement, &stranger),
        None => judgement,
    }
}

/// A judgement that already says what a device on the way does says which device, where it accepts in the host's name.
pub(in crate::diagnose::judge) fn with_device(case: &Case, judgement: Judgement) -> Judgement {
    let known = |stranger: &Stranger| stranger.device.or(stranger.after).is_some();
    let Some(stranger) = accepted_by_another(case, &judgement).filter(known) else { return judgement };
    let sentence = format!("{} It is {} that does so.", judgement.sentence, stranger.named());
    Judgement { sentence, ..judgement }
}

/// Who accepted, where the judgement rests on that alone and it was not the host.
fn accepted_by_another(case: &Case, judgement: &Judgement) -> Option<Stranger> {
    let only_accepted = case.ask.probe.protocol().transport() == Transport::Tcp
        && case.ask.proxy().is_none()
        && (case.evidence.passed(StepKind::Connect) || cut_while_opening(case))
        && case.evidence.number(Fact::ReceivedBytes).is_none_or(|bytes| bytes == 0);
    let open = Way::of_port(case.evidence).end.is_some_and(|end| end.said == Said::Accepted);
    if !only_accepted || !open || judgement.confidence == Confidence::Proven && judgement.status == Status::Pass {
        return None;
    }
    stranger(case.evidence, case.address?.ip())
}

/// A connection that is cut was open before; the cut came faster than this program heard of that.
fn cut_while_opening(case: &Case) -> bool {
    case.evidence.stopped_at().is_some_and(|step| step.kind == StepKind::Connect && step.error == Some(Failure::Reset))
}

fn accepted_in_path(case: &Case, judgement: &Judgement, stranger: &Stranger) -> Judgement {
    let failed = judgement.status == Status::Fail;
    let then = if failed { format!(" What then came of it: {}", judgement.sentence) } else { String::new() };
    let sentence = format!(
        "The connection to {} was accepted, but not by the host: the accept comes from nearer than the host is. It is {} that \
         accepts in the host's name (a transparent proxy, a SYN proxy, a port forwarding); whether the host itself is reached is \
         not proved.{then}",
        case.target(),
        stranger.named()
    );
    let status = if failed { Status::Fail } else { Status::Warn };
    Judgement::new(status, Code::AcceptedInPath, stranger.confidence, sentence).remedy(
        Who::Network,
        format!(
            "Exempt this flow from the device that accepts in the host's name, or see what that device may reach. {}",
            case.exact_rule()
        ),
    )
}
