//! HTTP answers that are not an upgrade: refused by the server, or stripped of what asked for it on the way.

use super::other::{self, Other};
use super::{Case, https, intercepted, tls};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status, Who};
use crate::model::probe::Websocket;

/// An HTTP answer that is not an upgrade.
pub(super) fn judge(case: &Case, settings: &Websocket, status: u64) -> Judgement {
    // A plain request that the port of HTTPS calls a bad one.
    let misunderstood = status == 400 && !case.evidence.holds(Fact::Echoed);
    let of_tls = misunderstood.then(|| tls::instead_of_plain(case)).flatten();
    if let Some(judgement) = of_tls.or_else(|| only_in_plain(case, settings, status)) {
        return judgement;
    }
    let judgement = other::remark(refused_here(case, settings, status), case);
    // Web servers have pages at `/`, and seldom a WebSocket: there only an answer about upgrades as such says anything.
    let decides = matches!(status, 407 | 426 | 501..=504)
        || judgement.confidence == Confidence::Proven && case.evidence.holds(Fact::Echoed)
        || Other::of(case).is_some_and(|other| other.works);
    if decides || settings.path.as_deref().is_some_and(|path| path != "/") {
        return judgement;
    }
    if let Some(judgement) = intercepted::unproven(case, status) {
        return judgement;
    }
    let undecided = "Nobody has named the path of the WebSocket, so this decides nothing.";
    let sentence = format!("{} {undecided}", judgement.sentence);
    Judgement { status: Status::Unknown, confidence: Confidence::Possible, sentence, ..judgement }
}

/// The same upgrade works over HTTPS: so there is a WebSocket at the path, and plain HTTP is handled otherwise.
fn only_in_plain(case: &Case, settings: &Websocket, status: u64) -> Option<Judgement> {
    // What a server answers to an ordinary request, as the upgrade becomes without its headers.
    if !matches!(status, 200 | 204 | 400 | 404 | 405 | 426 | 505) || case.evidence.holds(Fact::Echoed) {
        return None;
    }
    let other = Other::of(case).filter(|other| other.https && other.works)?;
    let path = settings.path.as_deref().unwrap_or("/");
    let judgement = Judgement::fail(
        Code::WsUpgradeStripped,
        Confidence::Likely,
        format!(
            "{} answered the WebSocket upgrade of {path} with status {status}, as if none was asked for, while over HTTPS on port {} the \
             same upgrade is accepted: a proxy in the path takes it out of plain HTTP.",
            case.target(),
            other.port
        ),
    );
    Some(judgement.remedy(Who::Network, format!("{} {}", use_https(case), pass_upgrades(case))))
}

/// The way out that needs nobody else.
pub(super) fn use_https(case: &Case) -> String {
    format!("Use HTTPS for `{}` in the product and the profile (`https: true`).", case.flow.endpoint)
}

/// The same, where there should be a WebSocket at the path.
fn refused_here(case: &Case, settings: &Websocket, status: u64) -> Judgement {
    let as_if_not_asked = matches!(status, 200 | 400 | 426 | 505);
    if as_if_not_asked && case.evidence.holds(Fact::Echoed) {
        return stripped_for_certain(case);
    }
    // No server finds HTTP/1.1 too old: who asked it did so in HTTP/1.0, as some reverse proxies do unless told otherwise.
    let in_between = status == 505 || case.evidence.fact(Fact::Via).is_some() || case.ask.proxy().is_some();
    // In plain there is a WebSocket at the path: who ends TLS before it does not pass the upgrade on.
    let only_encrypted = https(case) && Other::of(case).is_some_and(|other| other.works);
    if as_if_not_asked && (in_between || only_encrypted || !https(case)) {
        return stripped_perhaps(case, settings, status, in_between || only_encrypted);
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
    let unknown = !https(case) && Other::of(case).is_none();
    let encrypt = if unknown { " HTTPS usually passes where plain HTTP does not." } else { "" };
    format!(
        "Let the proxies and reverse proxies before {} pass the Upgrade and Connection headers on.{encrypt}",
        case.ask.host
    )
}
