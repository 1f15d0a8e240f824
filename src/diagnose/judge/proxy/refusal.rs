//! Answers that a proxy gives in its own name: by its rules, for want of a tunnel, or because it did not reach the target.
//!
//! A status alone does not say whose it is. What does: the proxy's own words in the answer, whether its own answers look
//! like this one, and what the target answers by the other way.

use super::super::Case;
use super::{account, permit, place, words};
use crate::model::ask::Proxy;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

/// The port to which proxies allow tunnels, if to any.
const HTTPS: u16 = 443;

/// Who made an answer that came through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    Proxy,
    Target,
    Unknown,
}

/// Judges an answer by what a proxy itself says in it: 407, a refusal by its rules, or a server it could not reach.
/// Nothing where the answer is the target's.
pub(in super::super) fn refusal(case: &Case) -> Option<Judgement> {
    let proxy = case.ask.proxy()?;
    match case.evidence.number(Fact::Status) {
        Some(status) => of_request(case, proxy, status),
        None => Some(of_tunnel(case, proxy, case.evidence.number(Fact::ProxyStatus)?)),
    }
}

/// A request that the proxy was to forward.
fn of_request(case: &Case, proxy: &Proxy, status: u64) -> Option<Judgement> {
    let author = author(case, status);
    match (status, author) {
        (407, _) if case.evidence.text(Fact::ProxyAuth).is_some() => Some(account::failed(case, proxy)),
        (407, _) => Some(account::required(case, proxy)),
        (_, Author::Target) | (413, _) => None,
        (401, Author::Unknown) if proxy.account.is_some() && !passed_on(case) => {
            Some(account::perhaps_unwelcome(case, proxy))
        }
        (401, Author::Proxy) if proxy.account.is_some() => Some(account::failed(case, proxy)),
        (403, Author::Unknown) => Some(perhaps_denied(case, proxy)),
        (500, Author::Unknown) if !passed_on(case) => Some(perhaps_failed(case, proxy)),
        (502..=504, _) | (500..=599, Author::Proxy) => Some(upstream_failed(case, proxy, status)),
        (_, Author::Proxy) => Some(denied(case, proxy, status)),
        _ => None,
    }
}

/// A tunnel that the proxy was to open: every answer to CONNECT is its own.
fn of_tunnel(case: &Case, proxy: &Proxy, status: u64) -> Judgement {
    match status {
        407 if case.evidence.text(Fact::ProxyAuth).is_some() => account::failed(case, proxy),
        407 => account::required(case, proxy),
        500 | 502..=504 => upstream_failed(case, proxy, status),
        _ if forwards(case) || tunnels_elsewhere(case) => connect_refused(case, proxy),
        _ if forbids_plain(case) => denied(case, proxy, status),
        403 if case.ask.port == HTTPS => denied(case, proxy, status),
        _ => connect_refused(case, proxy),
    }
}

/// Whether a proxy passed the answer on: it then says `Via` (RFC 9110 7.6.3), though some say so in their own answers too.
fn passed_on(case: &Case) -> bool {
    case.evidence.text(Fact::Via).is_some()
}

fn author(case: &Case, status: u64) -> Author {
    let evidence = case.evidence;
    if evidence.text(Fact::ProxyError).is_some() || gives_it_to_everybody(case) {
        return Author::Proxy;
    }
    // This proxy signs its own answers, and did not sign this one.
    if evidence.text(Fact::ProxyItselfError).is_some() {
        return Author::Target;
    }
    let by_name = match (evidence.text(Fact::Server), evidence.text(Fact::ProxyItselfServer)) {
        (Some(here), Some(own)) if here == own && !passed_on(case) => Author::Proxy,
        (Some(here), Some(own)) if here != own => Author::Target,
        _ => Author::Unknown,
    };
    match evidence.number(Fact::OtherWayStatus) {
        _ if by_name != Author::Unknown => by_name,
        Some(directly) if directly == status => Author::Target,
        Some(_) if evidence.holds(Fact::OtherWayWorks) => Author::Proxy,
        _ => Author::Unknown,
    }
}

/// Whether the same page came for a host that can't exist.
pub(in super::super) fn gives_it_to_everybody(case: &Case) -> bool {
    case.evidence.text(Fact::NowhereAnswer) == Some("same")
}

/// Whether the proxy forwards plain requests to the target, as was tried after it gave no tunnel.
pub(super) fn forwards(case: &Case) -> bool {
    plain(case).is_some_and(|code| code != Code::ProxyDenied)
}

fn forbids_plain(case: &Case) -> bool {
    plain(case) == Some(Code::ProxyDenied)
}

fn plain(case: &Case) -> Option<Code> {
    case.evidence.text(Fact::ProxyPlain)?.parse().ok()
}

/// Whether the proxy opens tunnels to the target's usual port, or tries to.
fn tunnels_elsewhere(case: &Case) -> bool {
    case.evidence.number(Fact::ProxyUsualTunnel).is_some_and(|status| matches!(status, 200..=299 | 500 | 502..=504))
}

fn denied(case: &Case, proxy: &Proxy, status: u64) -> Judgement {
    if case.evidence.text(Fact::ProxyError).is_none() && gives_it_to_everybody(case) {
        return own_page(case, proxy, status);
    }
    let page = case.evidence.text(Fact::Location).map_or(String::new(), |page| format!(" It points to {page}."));
    let sentence = format!(
        "The proxy {} forbids {} by its own rules ({status}{}).{page}",
        place(proxy),
        case.ask.target(),
        words(case)
    );
    let whole = forbids_plain(case) || case.evidence.text(Fact::ProxyError).is_some();
    let confidence = if whole { Confidence::Proven } else { Confidence::Likely };
    Judgement::fail(Code::ProxyDenied, confidence, sentence).remedy(Who::Network, permit(case, proxy))
}

/// What came in a tunnel, where the proxy gives the same page for hosts that do not exist.
pub(in super::super) fn page_in_tunnel(case: &Case, status: u64) -> Option<Judgement> {
    let proxy = case.ask.proxy()?;
    gives_it_to_everybody(case).then(|| own_page(case, proxy, status))
}

/// Only the proxy can have written a page that came for a host that does not exist, too.
fn own_page(case: &Case, proxy: &Proxy, status: u64) -> Judgement {
    let (place, target) = (place(proxy), case.ask.target());
    let sentence = format!(
        "The proxy {place} answers for {target} with a page of its own ({status}): it gave the same one for a host that does not \
         exist. It does not let the request pass, or is no proxy but a web server."
    );
    let remedy = format!("{} See that {place} is the right proxy.", permit(case, proxy));
    Judgement::fail(Code::ProxyDenied, Confidence::Likely, sentence).remedy(Who::Network, remedy)
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

/// A tunnel that was refused, while the target as such may be allowed.
pub(super) fn connect_refused(case: &Case, proxy: &Proxy) -> Judgement {
    let (place, target) = (place(proxy), case.ask.target());
    let status = case.evidence.number(Fact::ProxyStatus);
    let status = status.map_or(String::new(), |status| format!(" ({status}{})", words(case)));
    let (confidence, rule) = if tunnels_elsewhere(case) {
        (Confidence::Proven, " To port 443 of the same host it allows one: its rule is about the port.")
    } else if forwards(case) {
        (Confidence::Proven, " Plain HTTP to the same host it does forward: its rule is about tunnels.")
    } else if case.ask.port == HTTPS {
        (Confidence::Likely, "")
    } else {
        (Confidence::Likely, " Many proxies allow tunnels to port 443 only.")
    };
    let sentence = format!("The proxy {place} refuses a tunnel (CONNECT) to {target}{status}.{rule}");
    Judgement::fail(Code::ProxyConnectRefused, confidence, sentence)
        .remedy(Who::Network, format!("Let the proxy {place} allow CONNECT to {target} for this machine."))
}

fn upstream_failed(case: &Case, proxy: &Proxy, status: u64) -> Judgement {
    let (place, target) = (place(proxy), case.ask.target());
    let said = case.evidence.text(Fact::ProxyError);
    let unnamed = said.is_some_and(|words| words.contains("ERR_DNS_FAIL") || words.contains("error=dns"));
    let what = if unnamed { "can't resolve the name of" } else { "could not reach" };
    let sentence = format!("The proxy {place} {what} {target} ({status}{}).", words(case));
    let tunnelled = case.evidence.number(Fact::Status).is_none();
    let confidence = if tunnelled || said.is_some() { Confidence::Proven } else { Confidence::Likely };
    let judgement = Judgement::fail(Code::ProxyUpstreamFailed, confidence, sentence);
    if unnamed {
        let remedy = format!("Make the name {} known to the name servers that the proxy {place} asks.", case.ask.host);
        return judgement.remedy(Who::Names, remedy);
    }
    if case.evidence.text(Fact::OtherWayCode) == Some(Code::Refused.word()) {
        return judgement
            .remedy(Who::TargetHost, format!("Start the service on {target}: it refuses connections directly too."));
    }
    judgement.remedy(Who::Network, permit_upstream(case, proxy))
}

/// What to ask for where the proxy's own connection fails.
pub(super) fn permit_upstream(case: &Case, proxy: &Proxy) -> String {
    let target = case.ask.target();
    format!(
        "Allow TCP {} from the proxy {} to {}: the rule is needed from the proxy, not only from this machine. See too that the \
         service on {target} runs and that the proxy can resolve its name.",
        case.ask.port, proxy.host, case.ask.host
    )
}
