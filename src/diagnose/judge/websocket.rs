//! What the evidence of WebSocket upgrades (RFC 6455) means, once the connection, proxy and TLS stages are passed.
//!
//! Three stages of its own: the answer to the upgrade, the first ping, and the time of idleness with what comes after it.

mod idle;
mod other;
mod refused;

use super::{Case, http, intercepted, tls, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::{Probe, Websocket};

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Websocket(settings) = &case.ask.probe else { return unforeseen(case) };
    let evidence = case.evidence;
    let Some(step) = evidence.stopped_at() else { return works(case, settings) };
    let failure = step.error.unwrap_or(Failure::Internal);
    let judgement = match evidence.number(Fact::Status) {
        None => unanswered(case, step.kind, failure),
        Some(101) if !upgraded(case) => bad_accept(case),
        Some(101) if other_subprotocol(case, settings).is_some() => subprotocol(case, settings),
        Some(101) => after_upgrade(case, settings, step.kind, failure),
        Some(status) => return refused::judge(case, settings, status),
    };
    other::remark(judgement, case)
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
        return idle::push_lost(case, hold);
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
    if let Some(judgement) = tls::instead_of_plain(case) {
        return judgement;
    }
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
        Some(hold) => idle::killed(case, hold, stage, failure),
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
