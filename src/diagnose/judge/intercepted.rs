//! Answers over HTTP that something else than the service gave: a proxy that nobody configured, a portal, a block page.

use super::reach::{self, Answerer};
use super::{Case, http, proxy};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::Protocol;

/// Judges an answer by what a proxy or portal says in it that should have no part in it: none is between in a tunnel either.
/// Nothing where nothing speaks for one.
pub(super) fn judge(case: &Case, status: u64) -> Option<Judgement> {
    if http::forwarded(case) || case.evidence.holds(Fact::Echoed) {
        return None;
    }
    if let Some(judgement) = for_everybody(case, status) {
        return Some(judgement);
    }
    let target = case.target();
    let exempt = format!("{} Exempt it from the proxy on the way.", case.rule());
    match (status, case.evidence.text(Fact::ProxyError)) {
        (407, _) => {
            let sentence =
                format!("A proxy that nobody configured answers for {target} and wants a user and a password (407).");
            Some(Judgement::fail(Code::ProxyAuthRequired, Confidence::Likely, sentence).remedy(Who::Network, exempt))
        }
        (511, _) => {
            let sentence = format!("A network portal answers for {target} and wants a login first (511).");
            Some(Judgement::fail(Code::HttpRedirected, Confidence::Likely, sentence).remedy(Who::Network, case.rule()))
        }
        (502..=504, None) => {
            matches!(answered_by(case), Some(Answerer::Device { .. })).then(|| unreached(case, status, ""))
        }
        (413, _) | (_, None) => None,
        (500..=599, Some(words)) => Some(unreached(case, status, &format!(", {words}"))),
        (_, Some(words)) => {
            let page =
                case.evidence.text(Fact::Location).map_or(String::new(), |page| format!(" It points to {page}."));
            let sentence = format!("{} forbids the request ({status}, {words}).{page}", a_proxy(case));
            Some(Judgement::fail(Code::ProxyDenied, Confidence::Likely, sentence).remedy(Who::Network, exempt))
        }
    }
}

/// A gateway's answer of somebody who is not the host.
fn unreached(case: &Case, status: u64, words: &str) -> Judgement {
    let sentence = format!("{} can't reach the service ({status}{words}).", a_proxy(case));
    Judgement::fail(Code::ProxyUpstreamFailed, Confidence::Likely, sentence).remedy(
        Who::TargetHost,
        format!("Start the service on {}, or allow the proxy to connect to it.", case.target()),
    )
}

/// A page that somebody nearer than the host gives, at addresses of nobody too; in a tunnel, for hosts that can't exist.
fn for_everybody(case: &Case, status: u64) -> Option<Judgement> {
    if let Some(judgement) = proxy::page_in_tunnel(case, status) {
        return Some(judgement);
    }
    let Answerer::Device { named, confidence } = answered_by(case)? else { return None };
    if !proxy::gives_it_to_everybody(case) {
        return None;
    }
    let sentence = format!(
        "Not {} answers, but {named}, with a page of its own ({status}): it gave the same one at an address that is nobody's.",
        case.target()
    );
    let remedy = format!("{} Exempt it from that device (a portal or web filter).", case.rule());
    Some(Judgement::fail(Code::HttpRedirected, confidence, sentence).remedy(Who::Network, remedy))
}

/// A good answer that somebody nearer than the host gave, and nothing shows that the host had a part in it: no `Via`, the
/// same page for whatever is asked, and from as near as the one who accepts.
pub(super) fn unproven(case: &Case, status: u64) -> Option<Judgement> {
    let Answerer::Device { named, confidence } = answered_by(case)? else { return None };
    let text = |fact| case.evidence.text(fact);
    if text(Fact::Via).is_some()
        || text(Fact::NowhereAnswer) != Some("none")
        || text(Fact::OtherPageAnswer) != Some("same")
        || [Fact::Echoed, Fact::BodyMatches, Fact::AnsweredFromBehind].iter().any(|fact| case.evidence.holds(*fact))
    {
        return None;
    }
    let sentence = format!(
        "{} answered over HTTP (status {status}), but not from where the host is: it is {named} that accepts in the host's name and \
         gives the same page for whatever is asked. Whether the host itself is reached is not proved.",
        case.target()
    );
    let proof = match case.ask.probe.protocol() {
        Protocol::Websocket => "name the WebSocket's `path`",
        _ => "give the check a text that only the service sends (`contains`)",
    };
    let remedy = format!(
        "Look at the page: if it is not the service's own, exempt this flow from that device; {proof} to prove it. {}",
        case.exact_rule()
    );
    Some(Judgement::warn(Code::AcceptedInPath, confidence, sentence).remedy(Who::Network, remedy))
}

/// Judges a redirect to another host, which is no answer of the service; nothing where it stays on the same one.
pub(super) fn elsewhere(case: &Case, status: u64) -> Option<Judgement> {
    if case.evidence.holds(Fact::Echoed) || !(300..400).contains(&status) {
        return None;
    }
    let host = case.evidence.text(Fact::Location).and_then(host_of)?;
    let named = host.eq_ignore_ascii_case(case.ask.host.trim_matches(['[', ']']));
    if named || case.evidence.holds(Fact::LocationIsTarget) {
        return None;
    }
    let target = case.target();
    let moved = format!("{target} sends its visitors to another host, {host} ({status})");
    let named = format!("If {host} is yours, name it as the host in the profile.");
    match answered_by(case) {
        Some(Answerer::Host) => {
            let sentence = format!("{moved}, and it is the host itself that does so.");
            Some(Judgement::warn(Code::HttpRedirected, Confidence::Likely, sentence).remedy(Who::Profile, named))
        }
        Some(Answerer::Device { named: device, confidence }) => {
            let sentence = format!("{moved}: not the service does so, but {device}, with a login or block page.");
            let remedy = format!("{} Exempt it from that device. {named}", case.rule());
            Some(Judgement::fail(Code::HttpRedirected, confidence, sentence).remedy(Who::Network, remedy))
        }
        None => {
            let sentence = format!("{moved}: a login page or portal on the way does so, the service hardly.");
            let remedy = format!("{} {named}", case.rule());
            Some(Judgement::fail(Code::HttpRedirected, Confidence::Likely, sentence).remedy(Who::Network, remedy))
        }
    }
}

/// Who gave an answer to a direct request, where the distances say.
fn answered_by(case: &Case) -> Option<Answerer> {
    if case.ask.proxy().is_some() { None } else { reach::who_answers(case) }
}

/// The proxy that says something of itself in an answer to a direct request.
fn a_proxy(case: &Case) -> String {
    match answered_by(case) {
        Some(Answerer::Device { named, .. }) => format!("A proxy on the way to {}, {named},", case.target()),
        _ => format!("A proxy on the way to {}, or in front of it,", case.target()),
    }
}

/// The host of an absolute `Location`, without port and brackets; nothing where it stays on the same host.
#[must_use]
pub fn host_of(location: &str) -> Option<&str> {
    let after = match location.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => rest,
        _ => location.strip_prefix("//")?,
    };
    let authority = after.split(['/', '?', '#', '\\']).next()?;
    let place = authority.rsplit('@').next()?;
    let host = match place.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => place.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_its_host_only_where_it_is_absolute() {
        let cases = [
            ("https://portal.example/login", Some("portal.example")),
            ("http://user@other:8080/", Some("other")),
            ("//other/x", Some("other")),
            ("http://[::1]:8080/", Some("::1")),
            ("/login?next=http://other/", None),
            ("login", None),
            ("", None),
        ];
        for (location, host) in cases {
            assert_eq!(host_of(location), host, "{location}");
        }
    }
}
