//! Proxies that want to know who asks, and what they say to the account that they are given.

use super::super::Case;
use super::{offered, place};
use crate::model::ask::{Proxy, ProxyAuth};
use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Who};

pub(super) fn required(case: &Case, proxy: &Proxy) -> Judgement {
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
    let ours = [ProxyAuth::Basic, ProxyAuth::Digest, ProxyAuth::Ntlm];
    if !offered.is_empty() && !offered.split(", ").any(|scheme| ours.iter().any(|ours| ours.word() == scheme)) {
        let remedy = format!(
            "Let {target} pass the proxy {place} without an account, or have the proxy offer basic, digest or ntlm: the product \
             speaks no other."
        );
        return Judgement::fail(Code::ProxyAuthRequired, Confidence::Proven, sentence).remedy(Who::Network, remedy);
    }
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

pub(super) fn failed(case: &Case, proxy: &Proxy) -> Judgement {
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

pub(super) fn perhaps_unwelcome(case: &Case, proxy: &Proxy) -> Judgement {
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
