//! What the other way to the target gave, directly or through a proxy, beside what the chosen one did.
//!
//! It never makes a failure good: the product goes the chosen way.

use super::Case;
use crate::model::ask::ProxyOrigin;
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Remedy, Status};

/// The judgement, with the comparison where there is one.
pub(super) fn compared(case: &Case, mut judgement: Judgement) -> Judgement {
    let Some(way) = case.evidence.text(Fact::OtherWay) else { return judgement };
    if matches!(judgement.status, Status::Pass | Status::Skip | Status::Error) {
        return judgement;
    }
    let works = case.evidence.holds(Fact::OtherWayWorks);
    if works && case.evidence.text(Fact::OtherWayCode) == Some(judgement.code.word()) {
        return judgement;
    }
    let by = match case.ask.proxy() {
        Some(_) => "Directly, without the proxy,".to_owned(),
        None => format!("Through the proxy {way}"),
    };
    let outcome = match case.evidence.text(Fact::OtherWayCode) {
        _ if works => "the server answers".to_owned(),
        Some(code) => format!("it does not answer either ({code})"),
        None => return judgement,
    };
    judgement.sentence = format!("{} {by} {outcome}.", judgement.sentence);
    if works && let Some(Remedy { text, .. }) = &mut judgement.remedy {
        text.push_str(&format!(" Or {}.", change(case, way)));
    }
    judgement
}

/// How the flow is sent by the other way.
fn change(case: &Case, way: &str) -> String {
    let (host, endpoint) = (&case.ask.host, &case.flow.endpoint);
    if case.ask.proxy().is_none() {
        return match case.evidence.text(Fact::NoProxy) {
            Some(_) => format!("take {host} out of the exceptions (NO_PROXY), so that it goes through the proxy"),
            None => format!(
                "let the product's machines use the proxy {way}, and set `proxy` of the endpoint `{endpoint}` to it"
            ),
        };
    }
    match case.ask.proxy().map(|proxy| proxy.origin) {
        Some(ProxyOrigin::Environment) => format!("add {host} to NO_PROXY, so that it is reached directly"),
        Some(ProxyOrigin::System) => format!("add {host} to the exceptions of the system's proxy settings"),
        _ => format!(
            "let the product's machines reach {host} without the proxy, and set `proxy: none` for the endpoint `{endpoint}`"
        ),
    }
}
