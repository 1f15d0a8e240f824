//! What a proxy's own answers and failures mean: proxies that can't be reached, that hang, or that break the connection.
//!
//! What they refuse is judged in [`refusal`], what they think of accounts in [`account`].

mod account;
mod refusal;

use super::{Case, unforeseen};
use crate::model::ask::{Proxy, ProxyOrigin, host_port};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};

pub(super) use refusal::{gives_it_to_everybody, page_in_tunnel, refusal};

/// Judges a conversation that stopped while the proxy was asked for a tunnel, or for its challenge.
pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    let Some(proxy) = case.ask.proxy() else { return unforeseen(case) };
    match failure {
        Failure::NeedsCredentials => account::required(case, proxy),
        Failure::NotBuilt => not_built(case, proxy),
        Failure::Unexpected => refusal(case).unwrap_or_else(|| refusal::connect_refused(case, proxy)),
        Failure::TimedOut => silent(case, proxy),
        Failure::Closed | Failure::Reset if refusal::forwards(case) => refusal::connect_refused(case, proxy),
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

/// A proxy that took the request and says nothing: it waits for the target, the target hangs, or it hangs itself.
fn silent(case: &Case, proxy: &Proxy) -> Judgement {
    let (place, target) = (place(proxy), case.ask.target());
    let asked = asked(case, proxy);
    match case.evidence.text(Fact::OtherWayCode).map(str::parse) {
        Some(Ok(Code::Silent)) => {
            let sentence = format!("{asked} gave no answer in time. {target} accepts connections and says nothing.");
            return Judgement::fail(Code::Silent, Confidence::Likely, sentence)
                .lost(Lost::Reply)
                .remedy(Who::TargetHost, format!("Check that the service on {target} runs and is not hanging."));
        }
        _ if case.evidence.number(Fact::ProxyItself).is_some() => {
            let sentence = format!(
                "{asked} gave no answer in time, although it answers other questions: its own connection to {target} hangs."
            );
            return Judgement::fail(Code::ProxyUpstreamFailed, Confidence::Likely, sentence)
                .remedy(Who::Network, refusal::permit_upstream(case, proxy));
        }
        _ if case.evidence.fact(Fact::ProxyItself).is_some() => {
            let sentence =
                format!("{asked} gave no answer in time, and none to a question about itself: the proxy hangs.");
            return Judgement::fail(Code::Silent, Confidence::Likely, sentence).lost(Lost::Reply).remedy(
                Who::Network,
                format!(
                    "See that the proxy {place} runs well, and that what listens there is a proxy for this machine."
                ),
            );
        }
        _ => {}
    }
    let sentence = format!(
        "{asked} did not answer in time: most likely its own connection to {target} is dropped, or the proxy hangs."
    );
    Judgement::fail(Code::Silent, Confidence::Likely, sentence).lost(Lost::Reply).remedy(
        Who::Network,
        format!("Allow the proxy {place} to connect to {target}; its log says what it waited for."),
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
