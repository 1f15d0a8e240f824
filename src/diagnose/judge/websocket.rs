//! What the evidence of WebSocket upgrades (RFC 6455) means, once the connection, proxy and TLS stages are passed.
//!
//! Three stages of its own: the answer to the upgrade, the first ping, and the time of idleness with what comes after it.

use super::{Case, http, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Status, Who};
use crate::model::probe::{Probe, Websocket};
use crate::model::span::Span;

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Websocket(settings) = &case.ask.probe else { return unforeseen(case) };
    let evidence = case.evidence;
    let Some(step) = evidence.stopped_at() else { return works(case, settings) };
    let failure = step.error.unwrap_or(Failure::Internal);
    match evidence.number(Fact::Status) {
        None => unanswered(case, step.kind, failure),
        Some(101) if !upgraded(case) => bad_accept(case),
        Some(101) if other_subprotocol(case, settings).is_some() => subprotocol(case, settings),
        Some(101) => after_upgrade(case, settings, step.kind, failure),
        Some(status) => refused(case, settings, status),
    }
}

fn upgraded(case: &Case) -> bool {
    case.evidence.text(Fact::AcceptKey) == Some("right") && case.evidence.holds(Fact::UpgradeAnswer)
}

fn works(case: &Case, settings: &Websocket) -> Judgement {
    let (target, evidence) = (case.target(), case.evidence);
    if !(upgraded(case) && evidence.holds(Fact::Pong)) {
        return unforeseen(case);
    }
    let Some(hold) = settings.hold.filter(|_| evidence.passed(StepKind::Hold)) else {
        return Judgement::pass(format!("{target} accepted the WebSocket upgrade and answered a ping."));
    };
    if evidence.holds(Fact::Echoed) && !evidence.holds(Fact::Pushed) {
        return push_lost(case, hold);
    }
    let pushed = if evidence.holds(Fact::Pushed) { ", and what the far side pushed then arrived" } else { "" };
    Judgement::pass(format!(
        "{target} accepted the WebSocket upgrade and answered a ping, also after {hold} without traffic{pushed}."
    ))
}

/// The upgrade got no HTTP answer at all.
fn unanswered(case: &Case, stage: StepKind, failure: Failure) -> Judgement {
    let target = case.target();
    let sent = case.evidence.number(Fact::SentBytes) != Some(0);
    let judgement = match failure {
        Failure::TimedOut => Judgement::fail(
            Code::Silent,
            Confidence::Likely,
            format!("{target} accepted the connection but never answered the WebSocket upgrade."),
        ),
        Failure::Closed => Judgement::fail(
            Code::ClosedAfterConnect,
            Confidence::Proven,
            format!("{target} accepted the connection and closed it without answering the WebSocket upgrade."),
        ),
        Failure::Reset if stage == StepKind::Reply || sent => Judgement::fail(
            Code::ResetOnPayload,
            Confidence::Likely,
            format!("{target} accepted the connection and reset it when the WebSocket upgrade was sent."),
        ),
        Failure::Reset => Judgement::fail(
            Code::ResetAfterConnect,
            Confidence::Likely,
            format!("{target} accepted the connection and reset it before the WebSocket upgrade was sent."),
        ),
        Failure::Malformed => return wrong_service(case),
        _ => return unforeseen(case),
    };
    judgement.remedy(
        Who::Network,
        format!(
            "{} Allow WebSocket upgrades on it in devices that inspect HTTP; if there are none, look into the log of the \
             service on {target}.",
            case.rule()
        ),
    )
}

fn wrong_service(case: &Case) -> Judgement {
    if let Some(judgement) = http::garbled(case) {
        return judgement;
    }
    let said = case.evidence.text(Fact::Banner).map_or_else(String::new, |text| format!(" (it began with `{text}`)"));
    let hint = if https(case) { "" } else { " (If it is an HTTPS port, the endpoint needs `https: true`.)" };
    Judgement::fail(
        Code::WrongService,
        Confidence::Proven,
        format!(
            "{} accepted the connection but did not speak HTTP{said}: something else listens there.",
            case.target()
        ),
    )
    .remedy(Who::TargetHost, format!("See which program listens on port {} of {}.{hint}", case.ask.port, case.ask.host))
}

fn https(case: &Case) -> bool {
    matches!(&case.ask.probe, Probe::Websocket(Websocket { https: Some(true), .. }))
}

fn bad_accept(case: &Case) -> Judgement {
    let what = match case.evidence.text(Fact::AcceptKey) {
        Some("missing") => "without the key that proves that a WebSocket server read the request",
        Some("right") => "without the Upgrade and Connection headers that belong to it",
        _ => "with a wrong key, so it is not from a WebSocket server that read this request",
    };
    Judgement::fail(
        Code::WsBadAccept,
        Confidence::Proven,
        format!("{} answered the WebSocket upgrade with 101 {what}.", case.target()),
    )
    .remedy(
        Who::Network,
        "Find the device or reverse proxy that answers or rewrites the upgrade (a cache, a virus scanner), and let WebSocket \
         upgrades pass it unchanged.",
    )
}

fn other_subprotocol<'a>(case: &'a Case, settings: &Websocket) -> Option<&'a str> {
    case.evidence.text(Fact::Subprotocol).filter(|chosen| settings.subprotocol.as_deref() != Some(chosen))
}

fn subprotocol(case: &Case, settings: &Websocket) -> Judgement {
    let chosen = other_subprotocol(case, settings).unwrap_or_default();
    let asked = settings.subprotocol.as_deref().map_or_else(|| "none".to_owned(), |asked| format!("`{asked}`"));
    Judgement::fail(
        Code::WsRefused,
        Confidence::Proven,
        format!("{} chose the WebSocket subprotocol `{chosen}`, but the check asked for {asked}.", case.target()),
    )
    .remedy(Who::Profile, "Give the check the `subprotocol` that the service speaks.")
}

/// An HTTP answer that is not an upgrade.
fn refused(case: &Case, settings: &Websocket, status: u64) -> Judgement {
    let judgement = refused_here(case, settings, status);
    // Web servers have pages at `/`, and seldom a WebSocket: there only an answer about upgrades as such says anything.
    let decides = matches!(status, 407 | 426 | 501..=504)
        || judgement.confidence == Confidence::Proven && case.evidence.holds(Fact::Echoed);
    if decides || settings.path.as_deref().is_some_and(|path| path != "/") {
        return judgement;
    }
    let undecided = "Nobody has named the path of the WebSocket, so this decides nothing.";
    let sentence = format!("{} {undecided}", judgement.sentence);
    Judgement { status: Status::Unknown, confidence: Confidence::Possible, sentence, ..judgement }
}

/// The same, where there should be a WebSocket at the path.
fn refused_here(case: &Case, settings: &Websocket, status: u64) -> Judgement {
    let as_if_not_asked = matches!(status, 200 | 400 | 426);
    if as_if_not_asked && case.evidence.holds(Fact::Echoed) {
        return stripped_for_certain(case);
    }
    let in_between = case.evidence.fact(Fact::Via).is_some() || case.ask.proxy().is_some();
    if as_if_not_asked && (in_between || !https(case)) {
        return stripped_perhaps(case, settings, status, in_between);
    }
    let target = case.target();
    let path = settings.path.as_deref().unwrap_or("/");
    let (meaning, who, remedy) = refusal(case, path, status);
    let server = case.evidence.text(Fact::Server).map_or_else(String::new, |server| format!(" ({server})"));
    Judgement::fail(
        Code::WsRefused,
        Confidence::Proven,
        format!("{target}{server} refused the WebSocket upgrade of {path} with status {status}: {meaning}."),
    )
    .remedy(who, format!("{remedy}{}", iis_hint(case)))
}

/// What a status says of an upgrade, who can help, and how.
fn refusal(case: &Case, path: &str, status: u64) -> (&'static str, Who, String) {
    let look = format!("Look into the log of the web server on {} for the request of {path}.", case.ask.host);
    let other_path = format!(
        "The path {path} is an assumption unless the product documents it: set the check's `path` to the real one."
    );
    match status {
        300..=399 => {
            let place =
                case.evidence.text(Fact::Location).map_or_else(String::new, |place| format!(" It points to {place}."));
            ("it redirects", Who::Profile, format!("Set `https`, the host and the path to where it redirects.{place}"))
        }
        401 => ("it wants a login first", Who::Product, look),
        403 => ("it is forbidden", Who::Product, format!("{look} A filter in front of it may forbid upgrades.")),
        404 | 405 | 410 => ("there is no WebSocket at this path", Who::Profile, other_path),
        407 => (
            "a proxy that no setting names wants a login",
            Who::Network,
            format!("Exempt this flow from the transparent proxy. {}", case.rule()),
        ),
        501 => (
            "the server can't do it",
            Who::Product,
            "Install or switch on WebSocket support on the web server.".to_owned(),
        ),
        502..=504 => (
            "a gateway got no good answer from the server behind it",
            Who::Product,
            format!("See that the service behind the gateway runs and that the gateway passes upgrades on. {look}"),
        ),
        500..=599 => ("the server failed", Who::Product, look),
        _ => ("it is no answer to an upgrade", Who::Product, format!("{look} {other_path}")),
    }
}

/// IIS refuses upgrades as long as the role service is missing.
fn iis_hint(case: &Case) -> &'static str {
    let iis = case.evidence.text(Fact::Server).is_some_and(|server| server.starts_with("Microsoft-IIS"));
    if iis {
        " On IIS the role service \"WebSocket Protocol\" must be installed (from Windows Server 2012 on)."
    } else {
        ""
    }
}

fn stripped_for_certain(case: &Case) -> Judgement {
    Judgement::fail(
        Code::WsUpgradeStripped,
        Confidence::Proven,
        format!(
            "The WebSocket upgrade to {} arrived as an ordinary request: something in the path removed the Upgrade headers.",
            case.target()
        ),
    )
    .remedy(Who::Network, pass_upgrades(case))
}

fn stripped_perhaps(case: &Case, settings: &Websocket, status: u64, in_between: bool) -> Judgement {
    let path = settings.path.as_deref().unwrap_or("/");
    let (confidence, via) = match case.evidence.text(Fact::Via) {
        Some(via) => (Confidence::Likely, format!(" (it came through {via})")),
        None if in_between || status == 426 => (Confidence::Likely, String::new()),
        None => (Confidence::Possible, String::new()),
    };
    Judgement::fail(
        Code::WsUpgradeStripped,
        confidence,
        format!(
            "{} answered the WebSocket upgrade of {path} with status {status}, as if none was asked for{via}: a proxy in the \
             path removed the Upgrade headers, or there is no WebSocket at this path.",
            case.target()
        ),
    )
    .remedy(
        Who::Network,
        format!(
            "{} If nothing is in between, set the check's `path` to the real one.{}",
            pass_upgrades(case),
            iis_hint(case)
        ),
    )
}

fn pass_upgrades(case: &Case) -> String {
    let encrypt = if https(case) { "" } else { " HTTPS usually passes where plain HTTP does not." };
    format!(
        "Let the proxies and reverse proxies before {} pass the Upgrade and Connection headers on.{encrypt}",
        case.ask.host
    )
}

/// The upgrade went well, and then something did not.
fn after_upgrade(case: &Case, settings: &Websocket, stage: StepKind, failure: Failure) -> Judgement {
    let was_idle = case.evidence.steps.iter().any(|step| step.kind == StepKind::Hold);
    match settings.hold.filter(|_| was_idle) {
        None => frames_lost(case, failure),
        Some(hold) if stage == StepKind::Hold && failure == Failure::TimedOut => Judgement::unknown(
            Code::TimedOut,
            format!(
                "{} kept the WebSocket open, but the check's time was over before the {hold} of idleness were: give it a \
                 longer `timeout`.",
                case.target()
            ),
        ),
        Some(hold) => idle_killed(case, hold, failure),
    }
}

fn frames_lost(case: &Case, failure: Failure) -> Judgement {
    let target = case.target();
    if let Some(code) = case.evidence.number(Fact::CloseCode) {
        return Judgement::warn(
            Code::ClosedAfterConnect,
            Confidence::Likely,
            format!(
                "{target} accepted the WebSocket upgrade and then closed it with a Close frame of its own (code {code}): the \
                 way is open, but the service does not want this client."
            ),
        )
        .remedy(Who::Product, format!("Look into the log of the service on {target}; it may expect another path or subprotocol."));
    }
    let pong = case.evidence.holds(Fact::Pong);
    let what = if pong { "a text sent to the responder there" } else { "a ping" };
    let how = match failure {
        Failure::TimedOut => "was not answered",
        Failure::Closed => "was answered by closing the connection",
        Failure::Reset => "was answered by a reset",
        Failure::Malformed => "was answered with bytes that are no WebSocket frames",
        _ => return unforeseen(case),
    };
    let judgement = Judgement::fail(
        Code::WsFramesLost,
        Confidence::Likely,
        format!(
            "{target} accepted the WebSocket upgrade, but {what} {how}: a device in the path lets the upgrade through and \
             not the frames."
        ),
    );
    judgement.remedy(
        Who::Network,
        format!(
            "Switch off buffering and inspection of WebSocket connections to {} in proxies and firewalls. {}",
            case.ask.host,
            case.rule()
        ),
    )
}

fn idle_killed(case: &Case, hold: Span, failure: Failure) -> Judgement {
    let target = case.target();
    let after =
        case.evidence.number(Fact::DiedAfterMs).map_or_else(|| hold.to_string(), |millis| seconds(millis).to_string());
    if let Some(code) = case.evidence.number(Fact::CloseCode) {
        return Judgement::warn(
            Code::WsIdleKilled,
            Confidence::Likely,
            format!("{target} closed the idle WebSocket itself after {after}, with a Close frame (code {code})."),
        )
        .remedy(
            Who::Product,
            format!("Raise the idle time of WebSockets on {target} above the product's keep-alive interval."),
        );
    }
    let how = match failure {
        Failure::Reset => format!("was cut by a reset after {after}"),
        Failure::Closed => format!("was closed after {after}"),
        Failure::TimedOut => format!("was dead after {hold}, without a sign: a ping then stayed unanswered"),
        Failure::Malformed => format!("carried something else than WebSocket frames after {after}"),
        _ => return unforeseen(case),
    };
    Judgement::fail(
        Code::WsIdleKilled,
        Confidence::Likely,
        format!(
            "The idle WebSocket to {target} {how}: a proxy or firewall in the path does not keep idle connections."
        ),
    )
    .remedy(Who::Network, keep_idle(case, hold))
}

/// A ping revived the connection, but what a server says first after the idle time does not arrive.
fn push_lost(case: &Case, hold: Span) -> Judgement {
    Judgement::fail(
        Code::WsIdleKilled,
        Confidence::Likely,
        format!(
            "After {hold} without traffic, what the far side of the WebSocket to {} pushed did not arrive, although a ping \
             from here was answered then: a wake-up would be lost.",
            case.target()
        ),
    )
    .lost(Lost::Reply)
    .remedy(Who::Network, keep_idle(case, hold))
}

fn keep_idle(case: &Case, hold: Span) -> String {
    format!(
        "Raise the idle timeout for connections to {}:{} in firewalls, address translation and proxies above {hold}. {}",
        case.ask.host,
        case.ask.port,
        case.rule()
    )
}

/// Milliseconds as a span that reads well: whole seconds from ten seconds on.
fn seconds(millis: u64) -> Span {
    if millis >= 10_000 { Span::seconds((millis + 500) / 1000) } else { Span::millis(millis) }
}
