//! What hellos that were said again tell of one that was dropped or cut: whether the server name in it decides.

use super::{ask_network, bind_certificate, name};
use crate::diagnose::judge::Case;
use crate::model::certificate::{Hello, HelloAnswer};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

/// What became of a hello, with the code for it.
#[derive(Clone, Copy)]
pub(super) struct Fate<'a> {
    pub code: Code,
    /// What happened to it: "was dropped".
    pub words: &'a str,
}

/// The judgement where further hellos tell more than the first one; nothing where none were said, or the same one now passes.
pub(super) fn judge(case: &Case, fate: Fate<'_>) -> Option<Judgement> {
    let [same, none, other] = hellos(case)?;
    if same.answer.is_tls() {
        return None;
    }
    if other.answer.is_tls() || none.answer.is_tls() {
        return Some(by_name(case, fate, &same, &none, &other));
    }
    by_content(case, fate)
}

/// Whether TLS with another name, or plain text, got through where this hello did not.
pub(super) fn tell(case: &Case) -> bool {
    let by_name = hellos(case)
        .is_some_and(|[same, none, other]| !same.answer.is_tls() && (none.answer.is_tls() || other.answer.is_tls()));
    by_name || case.evidence.text(Fact::PlainAnswer).is_some_and(|line| line.starts_with("HTTP/"))
}

/// The judgement of a hello that met an alert, where hellos with other names, or with none, show that the name decides.
pub(super) fn refused_by_name(case: &Case) -> Option<Judgement> {
    let [same, none, other] = hellos(case)?;
    let HelloAnswer::Alert(alert) = &same.answer else { return None };
    let passes = |hello: &Hello| hello.answer == HelloAnswer::Hello;
    if same.name.is_none() && passes(&other) {
        return Some(nameless(
            case,
            Fate { code: Code::TlsNameMismatch, words: &format!("met the alert {alert}") },
            &other,
        ));
    }
    let through = match (passes(&none), passes(&other)) {
        (_, true) => format!("with `{}`", other.name.as_deref().unwrap_or_default()),
        (true, false) if same.name.is_some() => "without a server name".to_owned(),
        _ => return None,
    };
    let sentence = format!(
        "{} ended the TLS handshake (alert {alert}) because of the server name in it, `{}`: {through}, the same hello was \
         answered. It has no certificate for that name, or a filter by name is before it.",
        case.target(),
        name(case)
    );
    Some(bind_certificate(Judgement::fail(Code::TlsNameMismatch, Confidence::Likely, sentence), case))
}

/// A server that wants a name in the hello, of a target that the profile gives as an address.
pub(super) fn without_name(case: &Case) -> Judgement {
    let sentence = format!(
        "{} ended the TLS handshake (alert unrecognized_name): it has no certificate for hellos without a server name, and an \
         address can't be one.",
        case.target()
    );
    give_name(Judgement::fail(Code::TlsNameMismatch, Confidence::Proven, sentence), case)
}

/// Whether every hello that was said met an alert.
pub(super) fn refused_whatever_name(case: &Case) -> bool {
    hellos(case).is_some_and(|hellos| hellos.iter().all(|hello| matches!(hello.answer, HelloAnswer::Alert(_))))
}

fn hellos(case: &Case) -> Option<[Hello; 3]> {
    serde_json::from_value(case.evidence.fact(Fact::TlsHellos)?.clone()).ok()
}

/// A remark where other server names made no difference.
pub(super) fn whatever_name(case: &Case) -> &'static str {
    let failed = hellos(case).is_some_and(|hellos| hellos.iter().all(|hello| hello.answer.is_failure()));
    if failed { ", whatever server name it has" } else { "" }
}

/// The same hello got through with another name, or with none.
fn by_name(case: &Case, fate: Fate<'_>, same: &Hello, none: &Hello, other: &Hello) -> Judgement {
    let (target, name) = (case.target(), name(case));
    if same.name.is_none() {
        return nameless(case, fate, other);
    }
    let another = other.name.as_deref().unwrap_or_default();
    let through = match (none.answer.is_tls(), other.answer.is_tls()) {
        (true, true) => format!("without a server name, and with `{another}`, the same hello was answered"),
        (true, false) => "without a server name, the same hello was answered".to_owned(),
        _ => format!("with `{another}` as server name, the same hello was answered"),
    };
    let sentence =
        format!("The TLS hello to {target} {} because of the server name in it, `{name}`: {through}.", fate.words);
    // Servers that know some names only refuse the others too, but not by silence, and not this one alone.
    let confidence =
        if other.answer.is_tls() || fate.code == Code::TlsDropped { Confidence::Proven } else { Confidence::Likely };
    Judgement::fail(fate.code, confidence, sentence).remedy(
        Who::Network,
        format!(
            "Allow the server name `{name}` for TLS on port {} in the devices on the way that filter by name (firewall, web \
             filter, secure gateway). {} If a reverse proxy at {} sorts by name, see that the service behind this name runs.",
            case.ask.port,
            case.rule(),
            case.ask.host
        ),
    )
}

/// A target that the profile gives as an address is greeted without a server name.
fn nameless(case: &Case, fate: Fate<'_>, other: &Hello) -> Judgement {
    let sentence = format!(
        "The TLS hello to {} {} because it has no server name, as an address can't be one: with `{}` the same hello was answered.",
        case.target(),
        fate.words,
        other.name.as_deref().unwrap_or_default()
    );
    give_name(Judgement::fail(fate.code, Confidence::Likely, sentence), case)
}

fn give_name(judgement: Judgement, case: &Case) -> Judgement {
    judgement.remedy(
        Who::Profile,
        format!(
            "Give the name of `{}` as `host` in the product and the profile, instead of its address.",
            case.flow.endpoint
        ),
    )
}

/// The judgement where a port that ended a conversation in plain HTTP without a word, or called it a bad request, answers
/// hellos in TLS.
pub(in crate::diagnose::judge) fn instead_of_plain(case: &Case) -> Option<Judgement> {
    let answered = hellos(case)?.into_iter().find(|hello| hello.answer.is_tls())?;
    let how = match &answered.answer {
        HelloAnswer::Alert(alert) => format!("with the alert {alert}"),
        _ => "in TLS".to_owned(),
    };
    let ended = case
        .evidence
        .number(Fact::Status)
        .map_or_else(|| "ended the connection".to_owned(), |status| format!("called that a bad request ({status})"));
    let sentence = format!("{} was asked in plain HTTP and {ended}; a TLS hello it answers {how}.", case.target());
    let remedy = format!("It wants HTTPS: set `https: true` for the endpoint `{}`.", case.flow.endpoint);
    Some(Judgement::fail(Code::WrongService, Confidence::Proven, sentence).remedy(Who::Profile, remedy))
}

/// No hello got through, whatever its name.
fn by_content(case: &Case, fate: Fate<'_>) -> Option<Judgement> {
    let target = case.target();
    let line = case.evidence.text(Fact::PlainAnswer).filter(|line| line.starts_with("HTTP/"))?;
    if line.split(' ').nth(1) == Some("400") {
        if whatever_name(case).is_empty() {
            return None;
        }
        // As TLS servers answer plain HTTP: data passes both ways.
        let sentence = format!(
            "Every TLS hello to {target} {}, whatever server name it has, while plain text on the same port is answered (`{line}`): a \
             device on the way does not let TLS through.",
            fate.words
        );
        return Some(ask_network(Judgement::fail(fate.code, Confidence::Likely, sentence), case));
    }
    let sentence = format!(
        "{target} does not speak TLS: the TLS hello got no answer in TLS, and plain HTTP on the same port is answered with `{line}`."
    );
    Some(super::enable_https(Judgement::fail(Code::TlsNotSpoken, Confidence::Likely, sentence), case))
}
