//! What a proxy's own answers and failures mean: refused tunnels, refused requests, and proxies that can't be reached.

use super::{Case, unforeseen};
use crate::model::ask::{Proxy, ProxyAuth, ProxyOrigin, host_port};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};

/// Judges a conversation that stopped while the proxy was asked for a tunnel, or for its challenge.
pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    let Some(proxy) = case.ask.proxy() else { return unforeseen(case) };
    match failure {
        Failure::NeedsCredentials => auth_required(case, proxy),
        Failure::NotBuilt => not_built(case, proxy),
        Failure::Unexpected => refusal(case).unwrap_or_else(|| connect_refused(case, proxy)),
        Failure::TimedOut => silent(case, proxy),
        Failure::Closed => {
            let sentence = format!("{} closed the connection instead of answering", asked(case, proxy));
            broken(case, proxy, Code::ClosedAfterConnect, &sentence)
        }
        Failure::Reset => {
            let sentence = format!("{} reset the connection instead of answering", asked(case, proxy));
            broken(case, proxy, Code::ResetOnPayload, &sentence)
        }
        Failure::Malformed => not_http(case, proxy),
        other => unreachable(case, other),
    }
}

/// Judges an answer by what a proxy itself says in it: 407, a refusal by its rules, or a server it could not reach.
/// Nothing where the status speaks of something else.
pub(super) fn refusal(case: &Case) -> Option<Judgement> {
    let proxy = case.ask.proxy()?;
    let tunnelled = !case.evidence.facts.contains_key(Fact::Status.word());
    let status = case.evidence.number(if tunnelled { Fact::ProxyStatus } else { Fact::Status })?;
    match status {
        407 if case.evidence.text(Fact::ProxyAuth).is_some() => Some(auth_failed(case, proxy)),
        407 => Some(auth_required(case, proxy)),
        403 if tunnelled && case.ask.port != 443 => Some(connect_refused(case, proxy)),
        403 if tunnelled || case.evidence.text(Fact::ProxyError).is_some() => Some(denied(case, proxy)),
        403 => Some(perhaps_denied(case, proxy)),
        500 if perhaps_its_own(case) => Some(perhaps_failed(case, proxy)),
        401 if perhaps_its_own(case) && proxy.account.is_some() => Some(perhaps_unwelcome(case, proxy)),
        502..=504 => Some(upstream_failed(case, proxy, status)),
        _ if tunnelled => Some(connect_refused(case, proxy)),
        _ => None,
    }
}

/// Whether an answer may be the proxy's own, with a status of servers (as tinyproxy does): one that a proxy passes on says
/// `Via` (RFC 9110 7.6.3).
fn perhaps_its_own(case: &Case) -> bool {
    case.evidence.number(Fact::Status).is_some() && case.evidence.text(Fact::Via).is_none()
}

/// Judges a connection to the proxy that could not be opened.
pub(super) fn unreachable(case: &Case, failure: Failure) -> Judgement {
    let Some(proxy) = case.ask.proxy() else { return unforeseen(case) };
    let place = place(proxy);
    let (what, who) = match failure {
        Failure::Refused => {
            ("refused the connection: no proxy listens there, or a firewall answers for it", Who::Network)
        }
        Failure::TimedOut => {
            ("did not answer the connection request: it is dropped on the way or at the proxy", Who::Network)
        }
        Failure::HostUnreachable | Failure::NetworkUnreachable => {
            ("can't be reached: there is no route to it, or the last network has no such host", Who::Network)
        }
        Failure::Rejected => ("can't be reached: a device on the way rejects the connection", Who::Network),
        Failure::Denied => ("was not even asked: this machine's own firewall or policy forbids it", Who::ThisHost),
        Failure::Reset | Failure::Closed => ("ended the connection as soon as it was opened", Who::Network),
        _ => return unforeseen(case),
    };
    let sentence = format!("The proxy {place} {what}. {} was not tested.", case.ask.target());
    let remedy = format!(
        "Allow TCP {} from this machine to the proxy {}, start the proxy, or correct the proxy {}.",
        proxy.port,
        proxy.host,
        setting(proxy),
    );
    Judgement::fail(Code::ProxyUnreachable, Confidence::Proven, sentence).remedy(who, remedy)
}

/// Judges a proxy that took a forwarded request and did not answer it, or answered no HTTP.
pub(super) fn forwarded(case: &Case, failure: Failure) -> Option<Judgement> {
    let own = matches!(failure, Failure::TimedOut | Failure::Closed | Failure::Reset | Failure::Malformed);
    (case.ask.proxy().is_some() && own).then(|| judge(case, failure))
}

fn auth_required(case: &Case, proxy: &Proxy) -> Judgement {
    let offered = offered(case);
    let place = place(proxy);
    let target = case.ask.target();
    if proxy.account.is_some() && proxy.auth != ProxyAuth::None {
        return account_unused(case, proxy, &offered);
    }
    let schemes = if offered.is_empty() { String::new() } else { format!(" ({offered})") };
    let sentence = format!(
        "The proxy {place} wants a user and a password{schemes}, and none was given: {target} was not reached."
    );
    let remedy = format!(
        "Give the endpoint `{}` a `proxy-auth`, a `proxy-user` and a `proxy-password: {{ env: NAME }}`, or have the proxy let \
         {target} pass without.",
        case.flow.endpoint
    );
    Judgement::fail(Code::ProxyAuthRequired, Confidence::Proven, sentence).remedy(Who::Profile, remedy)
}

/// There is an account, but the proxy never got as far as being told its password.
fn account_unused(case: &Case, proxy: &Proxy, offered: &str) -> Judgement {
    let (place, target, ours) = (place(proxy), case.ask.target(), proxy.auth.word());
    if offered.is_empty() {
        let sentence = format!("The password for the proxy {place} is not there: {target} was not reached.");
        return Judgement::fail(Code::ProxyAuthRequired, Confidence::Likely, sentence)
            .remedy(Who::Profile, "Check where the profile takes the proxy's password from.");
    }
    if offered.split(", ").any(|scheme| scheme == ours) {
        let sentence = format!(
            "The proxy {place} offers {ours}, but gave no challenge that can be answered: its own authentication does not work."
        );
        return Judgement::fail(Code::ProxyAuthFailed, Confidence::Likely, sentence)
            .remedy(Who::Network, format!("Look into the log of the proxy {place} for its {ours} authentication."));
    }
    let sentence =
        format!("The proxy {place} wants {offered}, but is set to be spoken to with {ours}: {target} was not reached.");
    Judgement::fail(Code::ProxyAuthRequired, Confidence::Proven, sentence)
        .remedy(Who::Profile, format!("Set `proxy-auth` of the endpoint `{}` to {offered}.", case.flow.endpoint))
}

fn auth_failed(case: &Case, proxy: &Proxy) -> Judgement {
    let offered = offered(case);
    let (place, ours) = (place(proxy), proxy.auth.word());
    let mut sentence = format!("The proxy {place} did not accept the user and password given ({ours}).");
    if !offered.is_empty() && !offered.split(", ").any(|scheme| scheme == ours) {
        sentence = format!("The proxy {place} was given a user and a password by {ours}, but accepts only {offered}.");
    }
    let remedy = format!(
        "Correct `proxy-user`, `proxy-password` or `proxy-auth` of the endpoint `{}`, or have the account unlocked at the proxy.",
        case.flow.endpoint
    );
    Judgement::fail(Code::ProxyAuthFailed, Confidence::Proven, sentence).remedy(Who::Profile, remedy)
}

fn denied(case: &Case, proxy: &Proxy) -> Judgement {
    let sentence =
        format!("The proxy {} forbids {} by its own rules (403{}).", place(proxy), case.ask.target(), words(case));
    Judgement::fail(Code::ProxyDenied, Confidence::Likely, sentence).remedy(Who::Network, permit(case, proxy))
}

fn perhaps_denied(case: &Case, proxy: &Proxy) -> Judgement {
    let target = case.ask.target();
    let sentence = format!(
        "Through the proxy {}, {target} answered 403: either the proxy forbids it or the server itself does.",
        place(proxy)
    );
    let remedy = format!("Look for {target} in the proxy's log; if it was denied there, allow it.");
    Judgement::warn(Code::ProxyDenied, Confidence::Possible, sentence).remedy(Who::Network, remedy)
}

fn perhaps_failed(case: &Case, proxy: &Proxy) -> Judgement {
    let target = case.ask.target();
    let sentence = format!(
        "Through the proxy {}, {target} answered 500: either the proxy could not reach it, or the server itself failed.",
        place(proxy)
    );
    let remedy = format!("Look for {target} in the proxy's log; if it could not connect, allow it to.");
    Judgement::unknown(Code::ProxyUpstreamFailed, sentence).remedy(Who::Network, remedy)
}

fn perhaps_unwelcome(case: &Case, proxy: &Proxy) -> Judgement {
    let (place, target) = (place(proxy), case.ask.target());
    let sentence = format!(
        "Through the proxy {place}, {target} answered 401: either the proxy does not accept the user and password given, or \
         the server itself wants to know who asks."
    );
    let remedy = format!(
        "Look for {target} in the proxy's log. Check `proxy-user` and `proxy-password` of the endpoint `{}`.",
        case.flow.endpoint
    );
    Judgement::unknown(Code::ProxyAuthFailed, sentence).remedy(Who::Profile, remedy)
}

fn connect_refused(case: &Case, proxy: &Proxy) -> Judgement {
    let target = case.ask.target();
    let status =
        case.evidence.number(Fact::ProxyStatus).map_or(String::new(), |status| format!(" ({status}{})", words(case)));
    let mut sentence = format!("The proxy {} refuses a tunnel (CONNECT) to {target}{status}.", place(proxy));
    if case.ask.port != 443 {
        sentence.push_str(" Many proxies allow tunnels to port 443 only.");
    }
    Judgement::fail(Code::ProxyConnectRefused, Confidence::Likely, sentence)
        .remedy(Who::Network, format!("Allow CONNECT to {target} on the proxy {}, for this port too.", place(proxy)))
}

fn upstream_failed(case: &Case, proxy: &Proxy, status: u64) -> Judgement {
    let target = case.ask.target();
    let sentence = format!("The proxy {} could not reach {target} ({status}{}).", place(proxy), words(case));
    let tunnelled = case.evidence.number(Fact::Status).is_none();
    let sure = tunnelled || case.evidence.text(Fact::ProxyError).is_some();
    let confidence = if sure { Confidence::Proven } else { Confidence::Likely };
    let remedy = format!(
        "Make sure that the service on {target} runs, that the proxy {} can resolve its name, and that it may connect to it: \
         the rule is needed from the proxy, not only from this machine.",
        place(proxy)
    );
    Judgement::fail(Code::ProxyUpstreamFailed, confidence, sentence).remedy(Who::Network, remedy)
}

fn silent(case: &Case, proxy: &Proxy) -> Judgement {
    let target = case.ask.target();
    let sentence = format!(
        "{} did not answer in time: most likely its own connection to {target} is dropped, or the proxy hangs.",
        asked(case, proxy)
    );
    Judgement::fail(Code::Silent, Confidence::Likely, sentence).lost(Lost::Reply).remedy(
        Who::Network,
        format!("Allow the proxy {} to connect to {target}; its log says what it waited for.", place(proxy)),
    )
}

fn not_http(case: &Case, proxy: &Proxy) -> Judgement {
    let banner = case.evidence.text(Fact::Banner).map_or(String::new(), |text| format!(" (it began with `{text}`)"));
    let sentence = format!("{} did not answer in HTTP: something else listens there{banner}.", asked(case, proxy));
    Judgement::fail(Code::WrongService, Confidence::Proven, sentence).remedy(
        Who::Profile,
        format!("Correct the proxy {}: its host or its port is not that of an HTTP proxy.", setting(proxy)),
    )
}

fn broken(case: &Case, proxy: &Proxy, code: Code, sentence: &str) -> Judgement {
    let sentence = format!("{sentence}. {} was not reached.", case.ask.target());
    Judgement::fail(code, Confidence::Likely, sentence).remedy(
        Who::Network,
        format!("{} Check too that {} is an HTTP proxy that serves this machine.", permit(case, proxy), place(proxy)),
    )
}

fn not_built(case: &Case, proxy: &Proxy) -> Judgement {
    let feature = case.evidence.text(Fact::MissingFeature).unwrap_or("that is missing");
    let sentence = format!(
        "The proxy {} was not asked for {}: {} needs the feature `{feature}`, which this build lacks.",
        place(proxy),
        case.ask.target(),
        proxy.auth.word()
    );
    Judgement::unknown(Code::NeedsCredentials, sentence)
        .remedy(Who::ThisHost, format!("Use a build with the cargo feature `{feature}`."))
}

fn place(proxy: &Proxy) -> String {
    host_port(&proxy.host, proxy.port)
}

fn asked(case: &Case, proxy: &Proxy) -> String {
    format!("The proxy {} took the connection and the request for {}, but", place(proxy), case.ask.target())
}

/// Where the proxy's address was taken from, as people must look for it.
fn setting(proxy: &Proxy) -> &'static str {
    match proxy.origin {
        ProxyOrigin::Profile => "in the profile",
        ProxyOrigin::Environment => "in the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)",
        ProxyOrigin::System => "in the system's settings",
    }
}

fn permit(case: &Case, proxy: &Proxy) -> String {
    format!("Allow {} for this machine on the proxy {}.", case.ask.target(), place(proxy))
}

/// What the proxy says itself, to follow a status.
fn words(case: &Case) -> String {
    case.evidence.text(Fact::ProxyError).map_or(String::new(), |words| format!(", {words}"))
}

fn offered(case: &Case) -> String {
    let list = case.evidence.fact(Fact::ProxySchemes).and_then(serde_json::Value::as_array);
    let names: Vec<&str> = list.into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    names.join(", ")
}
