//! Requests that fail although lighter ones pass: a limit on sizes, or a filter on methods.

use super::super::Case;
use super::upload;
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Remedy, Status, Who};
use crate::model::probe::{Http, Method};
use crate::model::run::Outcome;

/// A body of which so many bytes passed was not stopped by the size of its packets.
const SEVERAL_PACKETS: u64 = 4096;

/// The judgement, with what the same request came to with less in it.
pub(super) fn compared(case: &Case, settings: &Http, judgement: Judgement) -> Judgement {
    let evidence = case.evidence;
    if evidence.fact(Fact::GetStatus).is_none() || matches!(judgement.status, Status::Pass | Status::Unknown) {
        return judgement;
    }
    let small = evidence.number(Fact::SmallBodyStatus).is_some_and(|status| status != 413);
    match (evidence.number(Fact::Status), evidence.number(Fact::GetStatus)) {
        (None, _) if small => size_limited(case, judgement),
        (None, Some(_)) => method_filtered(case, settings, judgement),
        (Some(400..), Some(..400)) if judgement.code != Code::HttpSizeLimited => method_refused(settings, judgement),
        _ => judgement,
    }
}

/// An outcome's new judgement, with what its facts say of lighter requests.
pub(in crate::diagnose) fn compared_again(outcome: &Outcome, mut judgement: Judgement) -> Judgement {
    let unanswered = outcome.number(Fact::Status).is_none() && judgement.status == Status::Fail;
    if unanswered && outcome.number(Fact::SmallBodyStatus).is_some() {
        judgement.sentence.push_str(" The same request with a small body is answered.");
    } else if unanswered && outcome.number(Fact::GetStatus).is_some() {
        judgement.sentence.push_str(" The server answers a GET of the same page: it is the method that does not pass.");
    }
    judgement
}

/// A limit says itself where it cuts; after silence it is one of the explanations.
fn size_limited(case: &Case, mut judgement: Judgement) -> Judgement {
    if matches!(judgement.code, Code::HttpSizeLimited | Code::HttpStalled) {
        judgement
            .sentence
            .push_str(" The same request with a small body is answered: the size of requests may be limited.");
        return judgement;
    }
    let Some((sent, wanted)) = upload(case).filter(|(sent, _)| *sent >= SEVERAL_PACKETS) else { return judgement };
    let sentence = format!(
        "{} takes small request bodies, but of a large one only {sent} of {wanted} bytes passed: a device in the path, or the \
         server, limits the size of requests.",
        case.target()
    );
    let limited = Judgement::fail(Code::HttpSizeLimited, Confidence::Likely, sentence).lost(Lost::Request).remedy(
        Who::Network,
        format!("Raise the largest request body that proxies, firewalls and the web server accept to {wanted} bytes or more."),
    );
    Judgement { lost: judgement.lost.and(limited.lost), ..limited }
}

/// No answer came to the method, in whatever size; one came to GET.
fn method_filtered(case: &Case, settings: &Http, judgement: Judgement) -> Judgement {
    let (target, method) = (case.target(), name(settings));
    let (code, what) = match case.evidence.stopped_at().and_then(|step| step.error) {
        Some(Failure::Reset) => (Code::ResetOnPayload, "resets the connection on"),
        Some(Failure::Closed) => (Code::ClosedAfterConnect, "closes the connection on"),
        Some(Failure::TimedOut) => (Code::Silent, "does not answer"),
        _ => return judgement,
    };
    let sentence = format!(
        "{target} answers a GET of the same page, but {what} a {method}: a device in the path that inspects HTTP, or the server, \
         does not let this method pass."
    );
    Judgement::fail(code, Confidence::Likely, sentence).remedy(
        Who::Network,
        format!("Allow the method {method} to {target} in devices that inspect HTTP; if there are none, look into the server's log."),
    )
}

/// The method was refused with a status; GET was not.
fn method_refused(settings: &Http, mut judgement: Judgement) -> Judgement {
    let method = name(settings);
    judgement.sentence = format!(
        "{} A GET of the same page is answered well: it is the method {method} that is refused.",
        judgement.sentence
    );
    if let Some(Remedy { text, .. }) = &mut judgement.remedy {
        *text = format!("{text} Allow the method {method} there.");
    }
    judgement
}

fn name(settings: &Http) -> &'static str {
    match settings.method {
        Some(Method::Get) => "GET",
        Some(Method::Head) => "HEAD",
        Some(Method::Put) => "PUT",
        Some(Method::Options) => "OPTIONS",
        Some(Method::Post) | None => "POST",
    }
}
