//! What a conversation that stopped at the TLS stage means. What is wrong with certificates is said in [`certificate`].

mod certificate;
mod dates;
mod hello;
pub(in crate::diagnose) mod inspector;

use std::net::IpAddr;

use self::hello::Fate;
pub(super) use self::hello::instead_of_plain;
use super::reach::{self, Answerer};
use super::{Case, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::Probe;

pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    match failure {
        Failure::TimedOut => dropped(case),
        Failure::Reset | Failure::Closed => cut(case, failure),
        Failure::NotTls | Failure::Malformed => not_spoken(case, failure),
        Failure::TlsVersion if case.evidence.passed(StepKind::Tls) => renegotiation(case),
        Failure::TlsVersion => version(case),
        Failure::TlsAlert => alert(case),
        Failure::TlsClientCertificate => client_certificate(case),
        Failure::TlsIntercepted => certificate::intercepted(case),
        Failure::TlsExpired => dates::expired(case),
        Failure::TlsNotYetValid => dates::not_yet_valid(case),
        Failure::TlsNameMismatch => certificate::name_mismatch(case),
        Failure::TlsUntrusted => certificate::untrusted(case),
        Failure::HostUnreachable | Failure::NetworkUnreachable | Failure::Rejected | Failure::Refused => lost(case),
        _ => unforeseen(case),
    }
}

/// The judgement where a server that asked for a certificate of this side then refuses the request by its HTTP status, as
/// nginx and IIS do instead of failing the handshake; nothing where the evidence does not say so.
pub(super) fn refused_without_certificate(case: &Case) -> Option<Judgement> {
    let status = case.evidence.number(Fact::Status)?;
    let asked_for = match &case.ask.probe {
        Probe::Http(settings) => {
            settings.status.iter().any(|range| u16::try_from(status).is_ok_and(|s| range.contains(s)))
        }
        _ => false,
    };
    let refused = match status {
        // nginx: 400, or its own 495 and 496.
        400 | 495 | 496 => true,
        // IIS (403.7) and Apache; also what a service without a start page answers.
        403 => !case.evidence.holds(Fact::StatusExpected),
        _ => false,
    };
    if !refused || asked_for || !case.evidence.holds(Fact::TlsClientCertificate) {
        return None;
    }
    let sentence = format!(
        "{} asked for a certificate of this side in the TLS handshake, got none, and answers {status}: it most likely lets in only clients with a certificate.",
        case.target()
    );
    Some(give_certificate(Judgement::fail(Code::TlsClientCertificate, Confidence::Likely, sentence), case))
}

/// Whether hellos that were said again show that it is a device on the way that does not let this one through.
pub(super) fn hellos_tell(case: &Case, judgement: &Judgement) -> bool {
    matches!(judgement.code, Code::TlsDropped | Code::TlsReset) && hello::tell(case)
}

fn dropped(case: &Case) -> Judgement {
    if let Some(judgement) = hello::judge(case, Fate { code: Code::TlsDropped, words: "was dropped" }) {
        return judgement;
    }
    let direct = case.ask.proxy().is_none();
    let target = case.target();
    let whatever = hello::whatever_name(case);
    let sentence = match case.evidence.number(Fact::ReceivedBytes) {
        Some(bytes) if direct && bytes > 0 => format!(
            "{target} began to answer the TLS handshake (bytes received: {bytes}), then nothing more came: large packets such as the certificate's are lost on the way, or the service hangs."
        ),
        Some(0) if direct => format!(
            "{target} accepted the connection, but nothing at all came back to the TLS hello{whatever}: a device on the way drops it (or the large packets of the answer), or the service there does not speak TLS."
        ),
        _ => format!(
            "{target}: the TLS handshake got no answer in time: it is dropped on the way, or the service hangs."
        ),
    };
    ask_network(Judgement::fail(Code::TlsDropped, Confidence::Likely, sentence), case)
}

/// The way broke while the handshake was on it: the system was told so by ICMP.
fn lost(case: &Case) -> Judgement {
    let sentence = format!(
        "The connection to {} opened, but during the TLS handshake a device on the way reported that the target can't be reached any more.",
        case.target()
    );
    ask_network(Judgement::fail(Code::TlsDropped, Confidence::Likely, sentence), case)
}

fn cut(case: &Case, failure: Failure) -> Judgement {
    let (what, words) = match failure {
        Failure::Reset => ("reset", "was answered with a reset"),
        _ => ("closed without a word", "was answered by closing the connection"),
    };
    if let Some(judgement) = hello::judge(case, Fate { code: Code::TlsReset, words }) {
        return judgement;
    }
    let whatever = hello::whatever_name(case);
    let by_name = if whatever.is_empty() { " (many do so by the server's name in the hello)" } else { "" };
    let sentence = format!(
        "The connection to {} was {what} during the TLS handshake{whatever}: a device on the way cuts it{by_name}, or the service there does not speak TLS.",
        case.target()
    );
    ask_network(Judgement::fail(Code::TlsReset, Confidence::Likely, sentence), case)
}

fn ask_network(judgement: Judgement, case: &Case) -> Judgement {
    judgement.remedy(
        Who::Network,
        format!(
            "{} Let TLS to `{}` through without inspection or filtering by name; if nothing filters there, see that the service on port {} speaks TLS.",
            case.rule(),
            name(case),
            case.ask.port
        ),
    )
}

fn not_spoken(case: &Case, failure: Failure) -> Judgement {
    let target = case.target();
    if failure == Failure::Malformed {
        let sentence = format!(
            "{target} began to speak TLS, but what followed breaks the protocol: the service is faulty, or a device on the way alters the bytes."
        );
        let judgement = Judgement::fail(Code::TlsNotSpoken, Confidence::Likely, sentence);
        return ask_network(judgement, case);
    }
    let (spoken, plain) = match case.evidence.text(Fact::Banner) {
        Some(banner) if banner.starts_with("HTTP/") => (format!("in plain HTTP (`{banner}`)"), true),
        Some(banner) => (format!("with `{banner}`"), false),
        None => ("with bytes that are no TLS".to_owned(), false),
    };
    let sentence = format!("{target} does not speak TLS: it answered the TLS hello {spoken}.");
    let judgement = Judgement::fail(Code::TlsNotSpoken, Confidence::Proven, sentence);
    if plain {
        return not_by_the_host(case, &judgement.sentence).unwrap_or_else(|| enable_https(judgement, case));
    }
    let remedy =
        format!("See which service listens on port {} of {}: another one has taken it.", case.ask.port, case.ask.host);
    judgement.remedy(Who::TargetHost, remedy)
}

/// The same, where the distances show that it is a device on the way that answers so.
fn not_by_the_host(case: &Case, sentence: &str) -> Option<Judgement> {
    let Some(Answerer::Device { named, confidence }) = reach::who_answers(case) else { return None };
    let sentence = format!("{sentence} But that is not the host: it is {named} that accepts in its name.");
    let remedy = format!("{} Exempt it from that device (a portal or web filter).", case.rule());
    Some(Judgement::fail(Code::TlsNotSpoken, confidence, sentence).remedy(Who::Network, remedy))
}

fn enable_https(judgement: Judgement, case: &Case) -> Judgement {
    let remedy = format!(
        "Enable HTTPS on port {} of {}, or, if plain HTTP is meant, set `https: false` for `{}` in the profile.",
        case.ask.port, case.ask.host, case.flow.endpoint
    );
    judgement.remedy(Who::Product, remedy)
}

fn version(case: &Case) -> Judgement {
    let target = case.target();
    if case.evidence.text(Fact::TlsPlatform) == Some("trusted") {
        let sentence = format!(
            "{target} offers only TLS versions or ciphers that today's libraries have given up; this platform's own TLS library still accepts them, other clients will not."
        );
        return newer(Judgement::warn(Code::TlsVersion, Confidence::Proven, sentence), case);
    }
    if let Some(judgement) = hello::refused_by_name(case) {
        return judgement;
    }
    let (why, confidence) = match case.evidence.text(Fact::TlsAlert) {
        Some("handshake_failure") if hello::refused_whatever_name(case) => (
            "it refused what was offered, whatever server name was asked for (alert handshake_failure): no cipher in common, only older versions, or no certificate at all",
            Confidence::Likely,
        ),
        Some("handshake_failure") => (
            "it refused what was offered (alert handshake_failure): no cipher in common, only older versions, or a name it has no certificate for",
            Confidence::Likely,
        ),
        Some("protocol_version") => ("it refused both (alert protocol_version)", Confidence::Proven),
        Some(_) => ("it refused the ciphers that were offered", Confidence::Proven),
        None => ("it wants an older version or older ciphers", Confidence::Proven),
    };
    let sentence = format!("{target} speaks neither TLS 1.2 nor TLS 1.3 in a way that today's clients accept: {why}.");
    newer(Judgement::fail(Code::TlsVersion, confidence, sentence), case)
}

fn newer(judgement: Judgement, case: &Case) -> Judgement {
    let text = format!(
        "Enable TLS 1.2 or 1.3 with ECDHE and AES-GCM ciphers for port {} on {}.",
        case.ask.port, case.ask.host
    );
    judgement.remedy(Who::TargetHost, text)
}

fn alert(case: &Case) -> Judgement {
    let target = case.target();
    let alert = case.evidence.text(Fact::TlsAlert).unwrap_or("unknown");
    if alert == "unrecognized_name" && is_address(name(case)) {
        return hello::without_name(case);
    }
    if alert == "unrecognized_name" {
        let sentence =
            format!("{target} has no certificate for the name `{}` and ended the TLS handshake.", name(case));
        return bind_certificate(Judgement::fail(Code::TlsNameMismatch, Confidence::Proven, sentence), case);
    }
    if let Some(judgement) = hello::refused_by_name(case) {
        return judgement;
    }
    let why = match alert {
        "internal_error" => ": many do so that have no certificate for the name, or can't use theirs",
        "no_application_protocol" => ": it does not speak HTTP/1.1 there",
        _ => "",
    };
    let sentence = format!("{target} speaks TLS, but ended the handshake with the alert {alert}{why}.");
    Judgement::fail(Code::TlsReset, Confidence::Proven, sentence).remedy(
        Who::TargetHost,
        format!("Look for the reason in the log of the service on port {} of {}.", case.ask.port, case.ask.host),
    )
}

fn bind_certificate(judgement: Judgement, case: &Case) -> Judgement {
    judgement.remedy(
        Who::TargetHost,
        format!(
            "Bind a certificate for `{}` to port {}, or use the name that the server knows.",
            name(case),
            case.ask.port
        ),
    )
}

/// TLS was agreed, and the request met a second handshake. That has one common reason: a certificate that is wanted for a
/// single page (TLS 1.2; RFC 5746 leaves it to this side to refuse).
fn renegotiation(case: &Case) -> Judgement {
    let sentence = format!(
        "{} agreed on TLS, and then wanted a second handshake for the request, as servers do that ask for a certificate of this \
         side only for some pages.",
        case.target()
    );
    give_certificate(Judgement::fail(Code::TlsClientCertificate, Confidence::Likely, sentence), case)
}

fn client_certificate(case: &Case) -> Judgement {
    let target = case.target();
    let (how, confidence) = match case.evidence.text(Fact::TlsAlert) {
        Some("certificate_required") => ("and said that it is required", Confidence::Proven),
        Some(_) => ("and refused to go on without one", Confidence::Likely),
        None => ("and cut the connection when none came", Confidence::Likely),
    };
    let sentence = format!("{target} asked for a certificate of this side in the TLS handshake {how}.");
    give_certificate(Judgement::fail(Code::TlsClientCertificate, confidence, sentence), case)
}

fn give_certificate(judgement: Judgement, case: &Case) -> Judgement {
    judgement.remedy(
        Who::Product,
        format!(
            "Unless the product's clients have certificates, set port {} of {} to ignore client certificates; with them, this check can't go further.",
            case.ask.port, case.ask.host
        ),
    )
}

fn is_address(name: &str) -> bool {
    name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// The name that the certificate must be for.
fn name<'a>(case: &'a Case) -> &'a str {
    case.ask.tls.name.as_deref().unwrap_or(&case.ask.host)
}
