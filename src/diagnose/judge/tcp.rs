//! What the evidence of plain TCP connections means, once the connection stage is passed.
//!
//! An accept alone proves that *something* accepted. A greeting of a responder, the expected text, or a canary that was not
//! accepted make it more than that.

use super::{Case, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status, Who};
use crate::model::probe::{Probe, Tcp};

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Tcp(settings) = &case.ask.probe else { return unforeseen(case) };
    let Some(step) = case.evidence.stopped_at() else { return accepted(case) };
    match step.error {
        Some(Failure::Closed) => closed(case, settings),
        Some(Failure::Reset) => reset(case, settings),
        Some(Failure::TimedOut) if case.evidence.text(Fact::Banner).is_none() => silent(case, step.kind),
        Some(Failure::TimedOut | Failure::Unexpected) => other_text(case, settings),
        _ => unforeseen(case),
    }
}

fn accepted(case: &Case) -> Judgement {
    let target = case.target();
    let evidence = case.evidence;
    if evidence.holds(Fact::BodyMatches) {
        return Judgement::pass(format!("{target} accepted the connection and answered with the expected text."));
    }
    if evidence.holds(Fact::Echoed) {
        return Judgement::pass(format!(
            "{target} accepted the connection, and a `bothways` responder greeted from there."
        ));
    }
    if let Some((said, service)) = evidence.text(Fact::Banner).and_then(|said| Some((said, other_service(said)?))) {
        return other_greeting(case, said, service);
    }
    match evidence.text(Fact::Canary) {
        Some("accepted") => everything_accepted(case),
        Some(canary) => told_by_canary(case, canary),
        None => Judgement::warn(
            Code::Silent,
            Confidence::Likely,
            format!(
                "{target} is open: something accepted the connection, and this port has no answer that would prove who."
            ),
        )
        .remedy(Who::TargetHost, prove_it(case)),
    }
}

/// The well-known service that greets so.
fn other_service(greeting: &str) -> Option<&'static str> {
    let known = [
        ("SSH-", "an SSH server"),
        ("HTTP/", "a web server"),
        ("220 ", "a mail or FTP server"),
        ("220-", "a mail or FTP server"),
        ("+OK", "a POP3 server"),
        ("* OK", "an IMAP server"),
        ("RFB ", "a VNC server"),
    ];
    known.iter().find(|(start, _)| greeting.starts_with(start)).map(|(_, service)| *service)
}

fn other_greeting(case: &Case, said: &str, service: &str) -> Judgement {
    let sentence = format!(
        "{} accepted the connection and said \"{said}\": the way is open, but {service} listens there.",
        case.target()
    );
    Judgement::warn(Code::WrongService, Confidence::Likely, sentence).remedy(
        Who::TargetHost,
        format!(
            "See which program listens on port {} of {}, and whether that is the right port and host.",
            case.ask.port, case.ask.host
        ),
    )
}

/// Ports that should be closed did not accept, so there is no device that accepts for everybody.
fn told_by_canary(case: &Case, canary: &str) -> Judgement {
    let target = case.target();
    let others = match canary {
        "refused" => "refused",
        "timed-out" => "left without an answer",
        _ => "rejected",
    };
    let spoke = case.evidence.text(Fact::Banner).map_or_else(String::new, |text| format!(" and said \"{text}\""));
    Judgement::new(
        Status::Pass,
        Code::Ok,
        Confidence::Likely,
        format!(
            "{target} accepted the connection{spoke}; connections to ports of the same host that should be closed were \
             {others}, so the accept is this port's own."
        ),
    )
}

fn everything_accepted(case: &Case) -> Judgement {
    Judgement::warn(
        Code::AcceptedInPath,
        Confidence::Likely,
        format!(
            "{} accepted the connection, but so did ports of the same host that should be closed: a device in the path \
             (a transparent proxy, a SYN proxy, a virus scanner) accepts everything, and whether the host itself is reached \
             is not proved.",
            case.target()
        ),
    )
    .remedy(
        Who::Network,
        format!("Exempt this flow from the device that accepts on the host's behalf. {} {}", case.rule(), prove_it(case)),
    )
}

fn prove_it(case: &Case) -> String {
    format!(
        "To prove the way, run `bothways listen` on {} while its own service is stopped, and check again.",
        case.ask.host
    )
}

fn closed(case: &Case, settings: &Tcp) -> Judgement {
    let target = case.target();
    if settings.expect.is_none() {
        let sentence = format!(
            "{target} accepted the connection and closed it at once: the way is open, but the service there does not want \
             this client, or a device in the path ends the connection."
        );
        return Judgement::warn(Code::ClosedAfterConnect, Confidence::Likely, sentence).remedy(
            Who::TargetHost,
            format!(
                "Look into the log of the service on {target}: it may accept only certain addresses. (`bothways listen` \
                 does so too: it answers only the addresses of the run.)"
            ),
        );
    }
    Judgement::fail(
        Code::ClosedAfterConnect,
        Confidence::Proven,
        format!("{target} accepted the connection and closed it without the answer that the check expects."),
    )
    .remedy(
        Who::TargetHost,
        format!("Look into the log of the service on {target}: it ended the connection, or a device in the path did."),
    )
}

fn reset(case: &Case, settings: &Tcp) -> Judgement {
    let target = case.target();
    let sent = settings.send.is_some() && case.evidence.passed(StepKind::Request);
    let (code, when) = if sent {
        (Code::ResetOnPayload, "reset it when it got the check's payload")
    } else {
        (Code::ResetAfterConnect, "reset it at once")
    };
    Judgement::fail(
        code,
        Confidence::Likely,
        format!(
            "{target} accepted the connection and {when}: a filter in the path cuts it, or the service there gives up."
        ),
    )
    .remedy(
        Who::Network,
        format!(
            "{} Exempt the flow from inspection that resets it; if there is none, look into the service's log.",
            case.rule()
        ),
    )
}

fn silent(case: &Case, stage: StepKind) -> Judgement {
    let target = case.target();
    let sentence = if stage == StepKind::Request {
        format!("{target} accepted the connection but took none of the check's payload.")
    } else {
        format!("{target} accepted the connection but did not answer: the expected text never came.")
    };
    Judgement::fail(Code::Silent, Confidence::Likely, sentence).remedy(
        Who::TargetHost,
        format!(
            "See that the right service listens on {target} and is not hung. If it answers locally, a device in the path \
             swallows the data: {}",
            case.rule()
        ),
    )
}

fn other_text(case: &Case, settings: &Tcp) -> Judgement {
    let target = case.target();
    let said = case.evidence.text(Fact::Banner).unwrap_or_default();
    let wanted = settings.expect.as_deref().unwrap_or_default();
    Judgement::fail(
        Code::WrongService,
        Confidence::Likely,
        format!("{target} answered \"{said}\" and not \"{wanted}\": something else listens there."),
    )
    .remedy(
        Who::TargetHost,
        format!(
            "See which program listens on port {} of {}, and whether the check's port is right.",
            case.ask.port, case.ask.host
        ),
    )
}
