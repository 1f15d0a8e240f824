//! What the other way to the target gave, directly or through a proxy, beside what the chosen one did.
//!
//! It never makes a failure good: the product goes the chosen way.

use super::Case;
use crate::model::ask::host_port;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Remedy, Status, Who};
use crate::model::run::Outcome;

/// The judgement of one conversation, with the comparison where there is one.
pub(super) fn compared(case: &Case, judgement: Judgement) -> Judgement {
    let proxy = case.ask.proxy().map(|proxy| proxy.origin.word());
    let flow = Flow { host: &case.ask.host, endpoint: &case.flow.endpoint, proxy };
    let text = |fact: Fact| case.evidence.text(fact);
    let judgement = page_in_tunnel(case).filter(|_| judgement.code == Code::TlsNotSpoken).unwrap_or(judgement);
    compare(&flow, &text, case.evidence.holds(Fact::OtherWayWorks), judgement)
}

/// What answers in a tunnel where the target itself speaks TLS is the proxy.
fn page_in_tunnel(case: &Case) -> Option<Judgement> {
    let proxy = case.ask.proxy().filter(|_| case.evidence.holds(Fact::OtherWayWorks))?;
    let (place, target) = (host_port(&proxy.host, proxy.port), case.ask.target());
    let began = case.evidence.text(Fact::Banner).map_or(String::new(), |page| format!(" (it began with `{page}`)"));
    let sentence = format!(
        "The proxy {place} agreed to a tunnel to {target}, and then answered in it with something of its own that is no TLS{began}."
    );
    let remedy = format!("Allow {target} for this machine on the proxy {place}.");
    Some(Judgement::fail(Code::ProxyDenied, Confidence::Likely, sentence).remedy(Who::Network, remedy))
}

/// An outcome's new judgement, with the comparison that its facts hold.
pub(in crate::diagnose) fn compared_again(outcome: &Outcome, judgement: Judgement) -> Judgement {
    let text = |fact: Fact| outcome.text(fact);
    let host = outcome.host().unwrap_or_default();
    let proxy = text(Fact::Proxy).and(text(Fact::ProxySource));
    let works = outcome.holds(Fact::OtherWayWorks);
    compare(&Flow { host, endpoint: &outcome.endpoint, proxy }, &text, works, judgement)
}

/// Takes the comparison with a proxy back: a responder does not answer a proxy that it was told nothing of.
pub(in crate::diagnose) fn withdraw(outcome: &mut Outcome) {
    let through_proxy = outcome.text(Fact::OtherWay).filter(|way| *way != "direct");
    let (Some(way), Some(code)) = (through_proxy, outcome.text(Fact::OtherWayCode)) else { return };
    if outcome.holds(Fact::OtherWayWorks) {
        return;
    }
    outcome.sentence = outcome.sentence.replace(&format!(" {} {}.", through(way), not_either(code)), "");
    for fact in [Fact::OtherWay, Fact::OtherWayCode, Fact::OtherWayWorks, Fact::OtherWayStatus] {
        outcome.facts.remove(fact.word());
    }
}

fn through(proxy: &str) -> String {
    format!("Through the proxy {proxy}")
}

fn not_either(code: &str) -> String {
    format!("it does not answer either ({code})")
}

/// What is compared: where to, and which setting sends it through a proxy.
struct Flow<'a> {
    host: &'a str,
    endpoint: &'a str,
    proxy: Option<&'a str>,
}

fn compare<'a>(
    flow: &Flow,
    text: &dyn Fn(Fact) -> Option<&'a str>,
    works: bool,
    mut judgement: Judgement,
) -> Judgement {
    let (Some(way), Some(code)) = (text(Fact::OtherWay), text(Fact::OtherWayCode)) else { return judgement };
    if matches!(judgement.status, Status::Pass | Status::Skip | Status::Error) || works && code == judgement.code.word()
    {
        return judgement;
    }
    let by = match flow.proxy {
        Some(_) => "Directly, without the proxy,".to_owned(),
        None => through(way),
    };
    let outcome = if works { "the server answers".to_owned() } else { not_either(code) };
    judgement.sentence = format!("{} {by} {outcome}.", judgement.sentence);
    if works && let Some(Remedy { text: remedy, .. }) = &mut judgement.remedy {
        *remedy = format!("{remedy} Or {}.", flow.change(way, text(Fact::NoProxy).is_some()));
    }
    judgement
}

impl Flow<'_> {
    /// How the flow is sent by the other way.
    fn change(&self, way: &str, exempt: bool) -> String {
        let Self { host, endpoint, proxy } = self;
        match *proxy {
            None if exempt => {
                format!("take {host} out of the exceptions (NO_PROXY), so that it goes through the proxy {way}")
            }
            None => {
                format!(
                    "let the product's machines use the proxy {way}, and set `proxy` of the endpoint `{endpoint}` to it"
                )
            }
            Some("environment") => format!("add {host} to NO_PROXY, so that it is reached directly"),
            Some("system") => format!("add {host} to the exceptions of the system's proxy settings"),
            Some(_) => format!(
                "let the product's machines reach {host} without the proxy, and set `proxy: none` for the endpoint \
                 `{endpoint}`"
            ),
        }
    }
}
