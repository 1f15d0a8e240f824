//! Which further looks would decide a judgement; pure. The engine takes them while the check still has time, and judges again.

use crate::diagnose::judge::Case;
use crate::model::code::{Code, Group};
use crate::model::evidence::StepKind;
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Status};
use crate::model::look::Look;

/// The looks that can tell more about a conversation that was judged so.
#[must_use]
pub fn wanted(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if !matches!(judgement.status, Status::Fail | Status::Unknown | Status::Warn) {
        return Vec::new();
    }
    let mut looks = proxies(case, judgement);
    if judgement.code == Code::HttpRedirected && case.evidence.text(Fact::Location).is_some() {
        looks.push(Look::Location);
    }
    if case.address.is_none() {
        looks.retain(|look| *look == Look::OtherWay);
        return looks;
    }
    looks.extend(match judgement.code {
        Code::Dropped
        | Code::Refused
        | Code::Rejected
        | Code::Unreachable
        | Code::RefusedInPath
        | Code::ProxyUnreachable => vec![Look::Path],
        _ => Vec::new(),
    });
    looks
}

/// The looks that tell what a proxy does, or what it would do.
fn proxies(case: &Case, judgement: &Judgement) -> Vec<Look> {
    if !case.ask.probe.protocol().takes_proxy() {
        return Vec::new();
    }
    let evidence = case.evidence;
    let of_proxy = judgement.code.group() == Group::Proxy;
    let mut looks = Vec::new();
    if judgement.status == Status::Fail || of_proxy {
        looks.push(Look::OtherWay);
    }
    if case.ask.proxy().is_none() {
        return looks;
    }
    let signed = evidence.text(Fact::ProxyError).is_some();
    if !signed && (judgement.code == Code::Silent || of_proxy && evidence.number(Fact::Status).is_some()) {
        looks.push(Look::ProxyItself);
    }
    let untunnelled = evidence.stopped_at().is_some_and(|step| step.kind == StepKind::Proxy);
    let refused = matches!(
        judgement.code,
        Code::ProxyConnectRefused | Code::ProxyDenied | Code::ClosedAfterConnect | Code::ResetOnPayload
    );
    if untunnelled && refused {
        looks.push(Look::ProxyRules);
    }
    looks
}
