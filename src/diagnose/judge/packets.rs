//! Conversations that work with small packets and hang with large ones, as a further look has shown.

use super::Case;
use crate::diagnose::looks;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Status, Who};
use crate::model::probe::{Probe, Protocol};
use crate::model::way::Way;

/// From this size on an Ethernet packet is in fragments, within a few bytes.
const FRAGMENTED: u64 = 1490;

/// The judgement where large packets are lost, in place of what the conversation alone says; nothing where that is not shown.
pub(super) fn judge(case: &Case, alone: impl FnOnce() -> Judgement) -> Option<Judgement> {
    let tried = case.evidence.fact(Fact::FullPackets).and_then(serde_json::Value::as_bool);
    let Some(passes) = case.evidence.number(Fact::LargestPacket) else {
        return untold(case, tried);
    };
    if case.evidence.stopped_at().is_none() && tried != Some(false) && !was_given_up(case) {
        let alone = alone();
        return Some(if alone.status == Status::Pass { after_all(case, passes) } else { alone });
    }
    if let Probe::Tftp(_) = case.ask.probe {
        return Some(blocks(case, passes));
    }
    let half = half(case, passes);
    let (place, way) = (place(case), way(half));
    let sentence = format!(
        "{place} answers, but only as long as packets are small: the same conversation works with packets of up to {passes} \
         bytes{}; larger ones are lost {way}{}, and nobody tells the sender to make them smaller.",
        searched(case, passes),
        behind(case, half)
    );
    let judgement = Judgement::fail(Code::LargePacketsLost, Confidence::Proven, sentence)
        .remedy(Who::Network, remedy(case, passes));
    Some(Judgement { lost: half, ..judgement })
}

/// Where the proof that full packets pass was begun and did not come in the time that was left, they are in doubt.
fn untold(case: &Case, tried: Option<bool>) -> Option<Judgement> {
    // Where packets of any size are lost at times, that is what is said.
    let lossy = case.evidence.number(Fact::ConnectsRepeated).is_some_and(|repeated| repeated > 0);
    let in_doubt = tried == Some(false) && case.evidence.stopped_at().is_none() && is_proof_due(case) && !lossy;
    let sentence = format!(
        "{} answers while packets are small; an exchange of full-sized packets was not over when the check's time was up. Whether \
         large packets are lost, or all of it is only slow, could not be told.",
        place(case)
    );
    in_doubt.then(|| {
        Judgement::unknown(Code::TimedOut, sentence).remedy(
            Who::Profile,
            "Give the check more time (`timeout`), or run it again when less is going on.".to_owned(),
        )
    })
}

/// Whether silence to full packets is not for the server to decide: a responder answers questions of every size, a system
/// acknowledges what has arrived whatever its server makes of it, a file that has begun goes on, and a proxy has passed on a
/// small request.
fn is_proof_due(case: &Case) -> bool {
    case.evidence.holds(Fact::Echoed)
        || case.evidence.number(Fact::Unacknowledged).is_some_and(|bytes| bytes > 0)
        || case.ask.probe.protocol() == Protocol::Tftp
        || case.ask.proxy().is_some()
}

/// Whether the server said that it has waited for the rest of the request in vain.
fn was_given_up(case: &Case) -> bool {
    case.evidence.number(Fact::Status) == Some(408)
}

/// It works since one of the two systems has found out by itself.
fn after_all(case: &Case, passes: u64) -> Judgement {
    let sentence = format!(
        "{} works, but only after a long stop: packets of more than {passes} bytes are lost on the way, which the sender had to \
         find out by itself; other systems never do.",
        place(case)
    );
    Judgement::warn(Code::LargePacketsLost, Confidence::Proven, sentence).remedy(Who::Network, remedy(case, passes))
}

/// Which half is lost: what was never acknowledged was lost on the way there. What fits into small packets was not.
fn half(case: &Case, passes: u64) -> Option<Lost> {
    match (case.evidence.number(Fact::Unacknowledged), case.evidence.number(Fact::SentBytes)) {
        (Some(0), _) => Some(Lost::Reply),
        (Some(_), _) => Some(Lost::Request),
        (None, Some(sent)) if sent + headers(case) <= passes => Some(Lost::Reply),
        (None, _) => None,
    }
}

fn way(half: Option<Lost>) -> &'static str {
    match half {
        Some(Lost::Request) => "on the way there",
        Some(Lost::Reply) => "on the way back",
        None => "on the way",
    }
}

/// After which device full packets vanish, where one on the way there answered them.
fn behind(case: &Case, half: Option<Lost>) -> String {
    let large = Way::of_large(case.evidence);
    let last = large.last().filter(|_| large.end.is_none() && half == Some(Lost::Request));
    last.map_or_else(String::new, |hop| format!(", after hop {} ({})", hop.ttl, hop.address))
}

/// How near the limit was come to, where not to the byte.
fn searched(case: &Case, passes: u64) -> String {
    match case.evidence.number(Fact::LostPacket) {
        Some(lost) if lost > passes + 1 => format!(" and not with packets of {lost}"),
        _ => String::new(),
    }
}

fn remedy(case: &Case, passes: u64) -> String {
    let message = if is_v4(case) {
        "ICMP \"fragmentation needed\" (type 3, code 4)"
    } else {
        "ICMPv6 \"packet too big\" (type 2)"
    };
    format!(
        "Find the link between {} ({}) and {} that carries only packets of {passes} bytes (a VPN or a tunnel, mostly). Let {message} \
         pass on every firewall in between, or clamp the TCP segment size (MSS) to {} there. Until then an MTU of {passes} on one \
         of the two hosts helps.",
        case.flow.from,
        "this machine",
        place(case),
        passes.saturating_sub(headers(case))
    )
}

/// Who was spoken to: the proxy, where the way to it is the one that was measured.
fn place(case: &Case) -> String {
    case.ask.proxy().map_or_else(
        || case.target(),
        |proxy| format!("The proxy {}", crate::model::ask::host_port(&proxy.host, proxy.port)),
    )
}

fn is_v4(case: &Case) -> bool {
    case.address.is_none_or(|address| address.ip().to_canonical().is_ipv4())
}

fn headers(case: &Case) -> u64 {
    case.address.map_or(0, |address| looks::headers(case.ask, address))
}

/// A TFTP server sends blocks of the size that was asked for, in one datagram each.
fn blocks(case: &Case, passes: u64) -> Judgement {
    let (target, bytes) = (case.target(), passes.saturating_sub(headers(case)));
    let sentence = format!(
        "{target} answered a TFTP request, but its blocks come only as long as they are small: blocks of up to {bytes} bytes \
         (packets of {passes}) do, larger ones are lost on the way back.",
    );
    let fragments =
        if passes >= FRAGMENTED { " Larger ones come as fragments, which firewalls often drop." } else { "" };
    Judgement::fail(Code::TftpStalled, Confidence::Proven, sentence).lost(Lost::Reply).remedy(
        Who::Network,
        format!(
            "Let UDP packets of full size, and fragments, pass from {target} to {}, or find the link in between that carries only \
             packets of {passes} bytes.{fragments} Until then have the TFTP server grant no block size above {bytes}.",
            case.flow.from
        ),
    )
}
