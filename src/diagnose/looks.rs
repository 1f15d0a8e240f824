//! Which further looks would decide a judgement; pure. The engine takes them while the check still has time, and judges again.

use std::net::SocketAddr;

use crate::diagnose::judge::Case;
use crate::model::ask::Ask;
use crate::model::code::{Code, Group};
use crate::model::evidence::{Failure, Millis, Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status};
use crate::model::flow::Transport;
use crate::model::look::Look;
use crate::model::probe::{Method, Probe, Protocol, Tftp};
use crate::wire::smb;

/// A conversation in which something came less than so many milliseconds ago moves, however slowly.
const MOVING_MS: u64 = 300;
/// A system that hears no acknowledgement of its answer sends it again after so many milliseconds at the least (RFC 6298 2).
const ANSWERED_AGAIN_MS: Millis = Millis(190_000);
/// Of so many packets one may be lost: a long transfer always loses some.
const TOLERABLE: u64 = 20;

/// The looks that can tell more about a conversation that was judged so.
#[must_use]
pub fn wanted(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if matches!(judgement.status, Status::Skip | Status::Error) {
        return Vec::new();
    }
    let beside = if judgement.status == Status::Pass { Vec::new() } else { beside_way(case, judgement) };
    if case.address.is_none() {
        return beside.into_iter().filter(|look| *look == Look::OtherWay).collect();
    }
    let small = stalls(case).then_some(Look::SmallPackets);
    let answers = judgement.status == Status::Pass || judgement.code == Code::NeedsCredentials;
    let full = (answers && is_filled(case)).then_some(Look::FullPackets);
    let works = judgement.status == Status::Pass;
    let again = (works && (repeated(case) || answered_late(case)) || timed_out(case) || is_refused(case))
        .then_some(Look::Again);
    let netbios = is_silent_share(case).then_some(Look::Netbios);
    let unasked = (judgement.status == Status::Fail && is_cut(case, judgement)).then_some(Look::Unasked);
    let further =
        [at_way(case, judgement), at_tls(case, judgement), at_websocket(case, judgement), at_page(case, judgement)];
    small
        .into_iter()
        .chain(full)
        .chain(unasked)
        .chain(further.into_iter().flatten())
        .chain(beside)
        .chain(netbios)
        .chain(again)
        .collect()
}

/// The looks that compare with what else could be asked.
fn beside_way(case: &Case, judgement: &Judgement) -> Vec<Look> {
    let mut looks = proxies(case, judgement);
    if judgement.code == Code::HttpRedirected && case.evidence.text(Fact::Location).is_some() {
        looks.push(Look::Location);
    }
    if is_silent_share(case) {
        looks.push(Look::Netbios);
    }
    if heavy(case) && judgement.status != Status::Unknown {
        looks.push(Look::Lighter);
    }
    looks
}

/// A request with a body, or by another method than pages are asked for with, that came as far as being sent.
fn heavy(case: &Case) -> bool {
    let Probe::Http(http) = &case.ask.probe else { return false };
    let bare = matches!(http.method, None | Some(Method::Get | Method::Head)) && http.send_bytes.is_none();
    !bare && case.evidence.steps.iter().any(|step| step.kind == StepKind::Request)
}

/// A page, in plain HTTP or over TLS that nobody judges, that nothing in it proves to be the target's.
fn at_page(case: &Case, judgement: &Judgement) -> Option<Look> {
    let evidence = case.evidence;
    let proven = evidence.holds(Fact::Echoed) || evidence.holds(Fact::BodyMatches);
    let status = evidence.number(Fact::Status)?;
    let told = match case.ask.probe.protocol() {
        Protocol::Http => {
            matches!(judgement.code, Code::Ok | Code::ProxyDenied | Code::HttpStatus | Code::HttpAltered)
        }
        Protocol::Websocket => matches!(judgement.code, Code::WsRefused | Code::WsUpgradeStripped) && status != 101,
        _ => false,
    };
    let anybody = in_plain_http(case) || evidence.text(Fact::TlsTrust) == Some("nobody");
    (anybody && !proven && status < 500 && told && !heavy(case)).then_some(Look::StandIn)
}

/// The look at a TLS handshake that decides most.
fn at_tls(case: &Case, judgement: &Judgement) -> Option<Look> {
    match judgement.code {
        Code::TlsDropped | Code::TlsReset if over_http(case) => Some(Look::Hello),
        // Of all that a server refuses so, only a name is not told in the alert.
        Code::TlsVersion if over_http(case) && case.evidence.text(Fact::TlsAlert) == Some("handshake_failure") => {
            Some(Look::Hello)
        }
        Code::TlsExpired | Code::TlsNotYetValid if over_http(case) => Some(Look::Clock),
        Code::ClosedAfterConnect | Code::ResetOnPayload if in_plain_http(case) && only_accepted(case) => {
            Some(Look::Hello)
        }
        Code::HttpStatus | Code::WsUpgradeStripped | Code::WsRefused if is_misunderstood(case) => Some(Look::Hello),
        _ => None,
    }
}

/// Plain HTTP that is called a bad request, as on ports that want TLS.
fn is_misunderstood(case: &Case) -> bool {
    let evidence = case.evidence;
    in_plain_http(case)
        && case.ask.proxy().is_none()
        && evidence.number(Fact::Status) == Some(400)
        && !evidence.holds(Fact::Echoed)
}

/// An upgrade that failed is tried over the other scheme; while a connection is idle, others are beside it.
fn at_websocket(case: &Case, judgement: &Judgement) -> Option<Look> {
    if case.ask.probe.protocol() != Protocol::Websocket {
        return None;
    }
    let idle = case.evidence.steps.iter().any(|step| step.kind == StepKind::Hold);
    match judgement.code {
        Code::TimedOut | Code::WsIdleKilled if idle => Some(Look::IdleTimes),
        Code::WsRefused
        | Code::WsUpgradeStripped
        | Code::WsBadAccept
        | Code::WsFramesLost
        | Code::Silent
        | Code::ClosedAfterConnect
        | Code::ResetOnPayload
        | Code::ResetAfterConnect => Some(Look::OtherScheme),
        _ => None,
    }
}

/// The look at the way that decides most.
fn at_way(case: &Case, judgement: &Judgement) -> Option<Look> {
    if answered_for(case, judgement) {
        return Some(Look::Answerer);
    }
    let Some((step, failure)) = case.evidence.stopped_at().and_then(|step| Some((step, step.error?))) else {
        // Nothing failed, and yet it is not proved who answered.
        return (judgement.confidence < Confidence::Proven && only_accepted(case)).then_some(Look::Answerer);
    };
    match case.ask.probe.protocol().transport() {
        Transport::Udp => match failure {
            Failure::TimedOut if step.kind == StepKind::Reply && nothing_came(case) => Some(Look::Path),
            Failure::HostUnreachable | Failure::NetworkUnreachable if step.icmp.is_some() => Some(Look::Beside),
            _ => None,
        },
        Transport::Tcp if step.kind == StepKind::Connect => match failure {
            Failure::TimedOut => Some(Look::Path),
            Failure::Refused | Failure::Reset if step.icmp.is_none() => Some(Look::Answerer),
            Failure::HostUnreachable | Failure::NetworkUnreachable if step.icmp.is_some() => Some(Look::Beside),
            _ => None,
        },
        Transport::Tcp => (only_accepted(case) || plainly_answered(case, judgement)).then_some(Look::Answerer),
    }
}

/// A TLS hello was answered in plain HTTP, which a portal does as well as a service.
fn plainly_answered(case: &Case, judgement: &Judgement) -> bool {
    let plain = case.evidence.text(Fact::Banner).is_some_and(|banner| banner.starts_with("HTTP/"));
    judgement.code == Code::TlsNotSpoken && plain && case.ask.proxy().is_none()
}

/// Something else than the service seems to have answered a direct request.
fn answered_for(case: &Case, judgement: &Judgement) -> bool {
    let gateway = matches!(case.evidence.number(Fact::Status), Some(502..=504));
    let suspect = gateway || judgement.code == Code::HttpRedirected || judgement.code.group() == Group::Proxy;
    suspect && case.ask.proxy().is_none() && case.evidence.number(Fact::Status).is_some()
}

/// The looks that tell what a proxy does, or what it would do.
fn proxies(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if !case.ask.probe.protocol().takes_proxy() {
        return Vec::new();
    }
    let evidence = case.evidence;
    let of_proxy = judgement.code.group() == Group::Proxy;
    let mut looks = Vec::new();
    if judgement.status == Status::Fail || of_proxy {
        looks.push(Look::OtherWay);
    }
    if case.ask.proxy().is_none() {
        return looks;
    }
    let signed = evidence.text(Fact::ProxyError).is_some();
    if !signed && (judgement.code == Code::Silent || of_proxy && evidence.number(Fact::Status).is_some()) {
        looks.push(Look::ProxyItself);
    }
    let untunnelled = evidence.stopped_at().is_some_and(|step| step.kind == StepKind::Proxy);
    let refused = matches!(
        judgement.code,
        Code::ProxyConnectRefused | Code::ProxyDenied | Code::ClosedAfterConnect | Code::ResetOnPayload
    );
    if untunnelled && refused {
        looks.push(Look::ProxyRules);
    }
    looks
}

/// Something accepted the connection, and not a byte came over it.
fn only_accepted(case: &Case) -> bool {
    case.ask.probe.protocol().transport() == Transport::Tcp
        && case.ask.proxy().is_none()
        && case.evidence.passed(StepKind::Connect)
        && nothing_came(case)
}

/// Whether a connection was refused by a reset: a balancer's other members may take the next one.
fn is_refused(case: &Case) -> bool {
    let reset = |step: &Step| step.error == Some(Failure::Refused) && step.icmp.is_none();
    case.ask.proxy().is_none()
        && case.ask.probe.protocol().transport() == Transport::Tcp
        && case.evidence.stopped_at().is_some_and(|step| step.kind == StepKind::Connect && reset(step))
}

/// Whether a connection was ended before a word came over it: as the service took it, or because of what was sent.
fn is_cut(case: &Case, judgement: &Judgement) -> bool {
    let cut = matches!(judgement.code, Code::ClosedAfterConnect | Code::ResetAfterConnect | Code::ResetOnPayload);
    cut && only_accepted(case)
}

fn nothing_came(case: &Case) -> bool {
    case.evidence.number(Fact::ReceivedBytes).is_none_or(|bytes| bytes == 0)
        && case.evidence.number(Fact::TransferPort).is_none()
}

/// Whether packets had to be sent again, more of them than a long transfer always loses.
pub(super) fn repeated(case: &Case) -> bool {
    let number = |fact| case.evidence.number(fact).unwrap_or_default();
    match case.ask.probe.protocol().transport() {
        Transport::Tcp => number(Fact::ConnectRepeats) + number(Fact::SegmentRepeats) > 0,
        Transport::Udp => {
            let packets = number(Fact::FileRead) / u64::from(Tftp::BLOCK) + 1;
            (number(Fact::Resends) + number(Fact::Repeats)) * TOLERABLE > packets
        }
    }
}

/// Whether an answer came so late that the far side may have had to send it again, which is not seen from here.
pub(super) fn answered_late(case: &Case) -> bool {
    // Where nothing came, nothing was waited for but a service that may speak first.
    case.ask.probe.protocol().transport() == Transport::Tcp
        && case.evidence.number(Fact::ReceivedBytes).is_some_and(|bytes| bytes > 0)
        && case.evidence.steps.iter().any(|step| is_exchange(step) && step.took_ms > ANSWERED_AGAIN_MS)
}

fn is_exchange(step: &Step) -> bool {
    matches!(step.kind, StepKind::Proxy | StepKind::Tls | StepKind::Request | StepKind::Reply)
}

/// Whether nothing more came in the time that was given, as where packets are lost at times.
fn timed_out(case: &Case) -> bool {
    let tcp = case.ask.probe.protocol().transport() == Transport::Tcp;
    case.evidence.stopped_at().is_some_and(|step| {
        step.error == Some(Failure::TimedOut) && (is_exchange(step) || tcp && step.kind == StepKind::Connect)
    })
}

/// Whether a file server does not answer on its port. (Where it refuses, the probe itself has looked further.)
fn is_silent_share(case: &Case) -> bool {
    case.ask.probe.protocol() == Protocol::Smb
        && case.ask.port == smb::PORT
        && case
            .evidence
            .stopped_at()
            .is_some_and(|step| step.kind == StepKind::Connect && step.error == Some(Failure::TimedOut))
}

/// Whether a conversation stopped moving on a connection that was opened. (One that only idles may well be cut by something else.)
fn stalls(case: &Case) -> bool {
    let open = match case.ask.probe.protocol().transport() {
        Transport::Tcp => case.evidence.passed(StepKind::Connect),
        Transport::Udp => case.evidence.fact(Fact::TransferPort).is_some(),
    };
    let stopped =
        case.evidence.stopped_at().is_some_and(|step| step.error == Some(Failure::TimedOut) && is_exchange(step));
    let moves = case.evidence.number(Fact::QuietMs).is_some_and(|millis| millis < MOVING_MS);
    open && stopped && !moves
}

/// Whether full-sized packets matter to the check, and its own exchange has perhaps not shown that they pass.
fn is_filled(case: &Case) -> bool {
    let wanted = match &case.ask.probe {
        Probe::Http(http) => http.full_packets.filter(|_| http.send_bytes.is_none()),
        Probe::Sql(sql) => sql.full_packets,
        Probe::Smb(smb) => smb.full_packets,
        Probe::Tftp(tftp) => tftp.full_packets.filter(|_| tftp.asked_block().is_none()),
        Probe::Websocket(_) | Probe::Tcp(_) | Probe::SqlBrowser(_) => None,
    };
    wanted == Some(true)
}

/// What every packet of the conversation carries besides the bytes whose number can be chosen (RFC 1350: four of a block's own).
#[must_use]
pub fn headers(ask: &Ask, address: SocketAddr) -> u64 {
    let of_ip = if address.ip().to_canonical().is_ipv4() { 20 } else { 40 };
    of_ip + if ask.probe.protocol().transport() == Transport::Tcp { 20 } else { 8 + 4 }
}

fn in_plain_http(case: &Case) -> bool {
    match &case.ask.probe {
        Probe::Http(http) => http.https != Some(true),
        Probe::Websocket(websocket) => websocket.https != Some(true),
        _ => false,
    }
}

/// Whether TLS carries HTTP there: what is asked again is asked in HTTP.
fn over_http(case: &Case) -> bool {
    matches!(case.ask.probe.protocol(), Protocol::Http | Protocol::Websocket)
}
