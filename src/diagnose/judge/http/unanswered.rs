//! Requests on which no status came back.

use super::super::{Case, proxy, tls, unforeseen};
use super::{forwarded, lost_on_the_way, of_tls, slow, upload};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::probe::Http;

/// A body of at least this many bytes is one that size limits care about.
const BIG: u64 = 16 << 10;

/// A request on which no status came back.
pub(super) fn judge(case: &Case, settings: &Http, kind: StepKind, failure: Failure) -> Judgement {
    if let Some(judgement) = of_tls(case, failure).or_else(|| upload_failed(case, kind, failure)) {
        return judgement;
    }
    if forwarded(case)
        && let Some(judgement) = proxy::forwarded(case, failure)
    {
        return judgement;
    }
    if matches!(failure, Failure::Closed | Failure::Reset)
        && let Some(judgement) = tls::instead_of_plain(case)
    {
        return judgement;
    }
    let target = case.target();
    match failure {
        Failure::Malformed => not_http(case, settings),
        Failure::TimedOut if case.evidence.fact(Fact::FirstByteMs).is_some() => {
            let sentence = format!("{target} began to answer, then said nothing more.");
            Judgement::fail(Code::HttpStalled, Confidence::Likely, sentence).lost(Lost::Reply).remedy(
                Who::Network,
                "Look for a device on the way that drops larger packets or inspects answers; then at the server.",
            )
        }
        Failure::TimedOut => {
            let sentence = format!("{target} accepted the connection, but did not answer the request.");
            Judgement::fail(Code::Silent, Confidence::Likely, sentence)
                .remedy(Who::TargetHost, format!(
                    "Check that the service runs and is not hanging. If it does answer, a device in the path loses the answer, \
                     large packets perhaps (MTU). {}",
                    case.rule()
                ))
        }
        Failure::Closed => {
            let sentence = format!("{target} accepted the connection, but closed it without an answer to the request.");
            Judgement::fail(Code::ClosedAfterConnect, Confidence::Likely, sentence).remedy(
                Who::TargetHost,
                format!(
                    "Look into the log of the service on {}. If it saw no request, a device in the path ends the connection: {}",
                    case.ask.host,
                    case.rule()
                ),
            )
        }
        Failure::Reset if case.evidence.number(Fact::SentBytes) == Some(0) => {
            let sentence = format!("{target} accepted the connection, then it was reset before anything was sent.");
            Judgement::fail(Code::ResetAfterConnect, Confidence::Likely, sentence).remedy(Who::Network, case.rule())
        }
        Failure::Reset => {
            let sentence =
                format!("{target} accepted the connection, but it was reset as soon as the request was sent.");
            Judgement::fail(Code::ResetOnPayload, Confidence::Likely, sentence).remedy(
                Who::Network,
                format!("{} A firewall that inspects traffic may forbid HTTP on this port.", case.rule()),
            )
        }
        Failure::Internal | Failure::Unexpected => unforeseen(case),
        other => lost_on_the_way(case, other),
    }
}

/// A big body on the way when the conversation ended.
fn upload_failed(case: &Case, kind: StepKind, failure: Failure) -> Option<Judgement> {
    let (sent, wanted) = upload(case).filter(|(_, wanted)| *wanted >= BIG)?;
    let target = case.target();
    let so_far = if sent >= wanted { format!("all {wanted} bytes") } else { format!("{sent} of {wanted} bytes") };
    let through = if forwarded(case) { " through the proxy" } else { "" };
    match failure {
        Failure::Closed | Failure::Reset => {
            let what = if failure == Failure::Reset { "was reset" } else { "was closed" };
            let sentence = format!("The connection to {target}{through} {what} after {so_far} of the request's body.");
            Some(Judgement::fail(Code::HttpSizeLimited, Confidence::Likely, sentence).remedy(
                Who::Network,
                format!("Raise the largest request body that proxies, firewalls and the web server accept to {wanted} bytes or more."),
            ))
        }
        Failure::TimedOut => {
            let stuck = || upload_stuck(case, kind, &format!("{target}{through}"), (sent, wanted), &so_far);
            Some(slow(case, sent, Some(wanted), "taking the request's body").unwrap_or_else(stuck))
        }
        _ => None,
    }
}

/// What was not acknowledged did not arrive; of what was, it is only known that some system took it.
fn upload_stuck(case: &Case, kind: StepKind, place: &str, (sent, wanted): (u64, u64), so_far: &str) -> Judgement {
    let lost = kind == StepKind::Request || sent < wanted;
    let what = if lost { "stopped taking" } else { "gave no answer after" };
    let sentence = format!("{place} {what} the request's body: {so_far} were taken, and then nothing moved any more.");
    let judgement = Judgement::fail(Code::HttpStalled, Confidence::Likely, sentence).remedy(
        Who::Network,
        format!(
            "Look for a device on the way that inspects uploads, or limits their size or rate; then at the service. {}",
            case.rule()
        ),
    );
    if lost { judgement.lost(Lost::Request) } else { judgement }
}

fn not_http(case: &Case, settings: &Http) -> Judgement {
    let banner = case.evidence.text(Fact::Banner);
    let target = case.target();
    // A TLS record of type alert (RFC 8446 5.1).
    if settings.https != Some(true) && banner.is_some_and(|text| text.starts_with("\\x15\\x03")) {
        let sentence = format!("{target} speaks TLS, but was asked in plain HTTP.");
        return Judgement::fail(Code::WrongService, Confidence::Proven, sentence)
            .remedy(Who::Profile, format!("Set `https: true` for the endpoint `{}`.", case.flow.endpoint));
    }
    if let Some(judgement) = garbled(case) {
        return judgement;
    }
    let began = banner.map_or(String::new(), |text| format!(" (it began with `{text}`)"));
    let sentence =
        format!("{target} accepted the connection but did not speak HTTP: something else listens there{began}.");
    Judgement::fail(Code::WrongService, Confidence::Proven, sentence)
        .remedy(Who::TargetHost, "Find out which program listens on this port, or correct the port in the profile.")
}

/// An answer that began as HTTP, or else it would have a banner, and then broke the rules.
pub(in super::super) fn garbled(case: &Case) -> Option<Judgement> {
    if case.evidence.fact(Fact::FirstByteMs).is_none() || case.evidence.fact(Fact::Banner).is_some() {
        return None;
    }
    let sentence = format!(
        "{} answered in HTTP, but the head of the answer is not valid, or far too large: the server or a device in the path \
         garbles it.",
        case.target()
    );
    Some(Judgement::fail(Code::HttpAltered, Confidence::Likely, sentence).remedy(
        Who::TargetHost,
        format!(
            "Look at the answer with `curl -v` on {} itself and from here: where it is sound there, a device in the path \
             spoils it.",
            case.ask.host
        ),
    ))
}
