//! What is wrong with the certificate that a server presented, and what to do about it.

use super::name;
use crate::diagnose::judge::Case;
use crate::model::certificate::{Fault, Presented, Wrong};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

/// Names of a certificate that one sentence lists.
const NAMES_SHOWN: usize = 8;

pub(super) fn intercepted(case: &Case) -> Judgement {
    let target = case.target();
    let leaf = chain(case).into_iter().next().unwrap_or_default();
    let issuer = shown(&leaf.issuer);
    let sentence = match decisive(case).map(|fault| fault.what) {
        Some(Wrong::WrongIssuer) => format!(
            "The certificate of {target} was issued by {issuer}, not by `{}` as the profile expects: TLS is intercepted on the way, or the server's certificate has changed.",
            case.ask.tls.issuer.as_deref().unwrap_or_default()
        ),
        Some(Wrong::Downgraded) => format!(
            "{target} can speak TLS 1.3, but a device on the way took it out of the handshake: TLS is intercepted."
        ),
        _ => format!(
            "{target} presented another certificate than the profile's `fingerprint`: {} issued by {issuer}, SHA-256 {}. TLS is intercepted on the way, or the server's certificate was renewed.",
            shown(&leaf.subject),
            leaf.sha256
        ),
    };
    Judgement::fail(Code::TlsIntercepted, Confidence::Likely, sentence).remedy(
        Who::Network,
        format!(
            "Exempt `{}` from TLS inspection. If the server's certificate was renewed instead, put the new `fingerprint` or `issuer` into the profile.",
            name(case)
        ),
    )
}

pub(super) fn name_mismatch(case: &Case) -> Judgement {
    let leaf = chain(case).into_iter().next().unwrap_or_default();
    let names = match leaf.names.len() {
        0 => format!("names no host at all (only its subject, {})", shown(&leaf.subject)),
        count if count > NAMES_SHOWN => {
            format!("is for {} and {} more", leaf.names[..NAMES_SHOWN].join(", "), count - NAMES_SHOWN)
        }
        _ => format!("is for {}", leaf.names.join(", ")),
    };
    let sentence =
        format!("The certificate of {} is not for `{}`: it {names}.{}", case.target(), name(case), others(case));
    Judgement::fail(Code::TlsNameMismatch, Confidence::Proven, sentence).remedy(
        Who::TargetHost,
        format!(
            "Use one of those names for `{}` in the product and the profile, or bind a certificate that has `{}` among its names to port {}.",
            case.flow.endpoint,
            name(case),
            case.ask.port
        ),
    )
}

pub(super) fn untrusted(case: &Case) -> Judgement {
    let fault = decisive(case);
    let (_, certificate) = at_fault(case);
    let target = case.target();
    let issuer = shown(&certificate.issuer);
    let subject = shown(&certificate.subject);
    let what = fault.map_or(Wrong::Refused, |fault| fault.what);
    if what == Wrong::AuthoritiesUnreadable {
        return authorities_unreadable(case);
    }
    let (why, confidence) = match what {
        Wrong::SelfSigned => {
            (format!("it is self-signed ({subject}), and this machine does not trust it"), Confidence::Proven)
        }
        Wrong::IncompleteChain => (incomplete(&chain(case), fault), Confidence::Proven),
        Wrong::UnknownIssuer => {
            (format!("it leads to {issuer}, which this machine does not trust"), Confidence::Proven)
        }
        Wrong::NoTrustStore => ("this machine's trust store is empty or can't be read".to_owned(), Confidence::Proven),
        Wrong::Revoked => ("it was revoked by its issuer".to_owned(), Confidence::Proven),
        Wrong::WrongPurpose => ("it may not be used for servers (extended key usage)".to_owned(), Confidence::Proven),
        Wrong::BadSignature => {
            (format!("the signature on {subject} is not that of its issuer, {issuer}"), Confidence::Proven)
        }
        Wrong::WeakKey => (
            format!(
                "the RSA key of {subject} has {} bits, and fewer than {} are no longer accepted",
                certificate.rsa_bits.unwrap_or_default(),
                Presented::LEAST_RSA_BITS
            ),
            Confidence::Proven,
        ),
        Wrong::WeakSignature => {
            let how = certificate.weak_hash.as_deref().unwrap_or("an algorithm");
            (format!("{subject} is signed with {how}, which is no longer accepted"), Confidence::Proven)
        }
        Wrong::Malformed => ("it can't be read or breaks the rules for certificates".to_owned(), Confidence::Likely),
        _ => (format!("the trust store refuses {subject} from {issuer}"), Confidence::Likely),
    };
    let sentence = format!("The certificate of {target} is not trusted here: {why}.{}", others(case));
    trust_remedy(Judgement::fail(Code::TlsUntrusted, confidence, sentence), case, what, issuer)
}

fn trust_remedy(judgement: Judgement, case: &Case, what: Wrong, issuer: &str) -> Judgement {
    let (host, port) = (&case.ask.host, case.ask.port);
    match what {
        Wrong::SelfSigned => judgement.remedy(
            Who::TargetHost,
            format!("Bind a certificate from an authority that the clients trust to port {port} on {host}, or install this one in the clients' trust store (for this check: its `fingerprint` in the profile)."),
        ),
        Wrong::IncompleteChain => judgement.remedy(
            Who::TargetHost,
            format!("Have {host} present the whole chain on port {port}: the certificate of {issuer} is missing behind its own{}. If {issuer} is your own root, install it on this machine, or name its PEM file as `ca` in the profile; if nobody knows it, a device on the way intercepts TLS: exempt `{}`.", source(case), name(case)),
        ),
        Wrong::UnknownIssuer | Wrong::Refused => judgement.remedy(
            Who::ThisHost,
            format!("If {issuer} is your own authority, install it in this machine's trust store, or name its PEM file as `ca` in the profile; if nobody knows it, a device on the way intercepts TLS: exempt `{}`.", name(case)),
        ),
        Wrong::NoTrustStore => judgement.remedy(
            Who::ThisHost,
            "Install the system's certificate authorities (on Debian the package `ca-certificates`) on this machine.",
        ),
        Wrong::WeakKey => judgement.remedy(
            Who::TargetHost,
            format!("Have the certificate on port {port} of {host} issued anew, with an RSA key of {} bits or more, or an elliptic one.", Presented::LEAST_RSA_BITS),
        ),
        _ => judgement.remedy(
            Who::TargetHost,
            format!("Have the certificate on port {port} of {host} issued anew, for server authentication and with SHA-256."),
        ),
    }
}

/// Why a chain whose last issuer nobody here has is not trusted.
fn incomplete(chain: &[Presented], fault: Option<Fault>) -> String {
    let last = chain.get(fault.map_or(0, |fault| fault.certificate)).cloned().unwrap_or_default();
    let issuer = shown(&last.issuer);
    let of = match fault.map_or(0, |fault| fault.certificate) {
        0 => "its issuer".to_owned(),
        _ => format!("the issuer of its intermediate {}", shown(&last.subject)),
    };
    let strays: Vec<&str> = strays(chain).map(|stray| shown(&stray.subject)).take(NAMES_SHOWN).collect();
    let strays = if strays.is_empty() {
        String::new()
    } else {
        format!(" ({} was presented instead, which did not issue it)", strays.join(", "))
    };
    format!(
        "the chain is incomplete: {of}, {issuer}, was neither presented by the server nor is in this machine's trust store{strays}; \
         the server leaves out an intermediate certificate, or {issuer} is a root that is not installed here"
    )
}

/// Presented certificates that issued none of the others, and are not the server's own.
fn strays(chain: &[Presented]) -> impl Iterator<Item = &Presented> {
    let issued = |stray: &Presented| chain.iter().any(|one| one.sha256 != stray.sha256 && one.issuer == stray.subject);
    chain.iter().skip(1).filter(move |stray| !issued(stray))
}

/// Where the missing certificate can be had, as the last one says.
fn source(case: &Case) -> String {
    let (_, last) = at_fault(case);
    last.issuer_at.map_or_else(String::new, |place| format!(" (it can be had at {place})"))
}

fn authorities_unreadable(case: &Case) -> Judgement {
    let file = case.ask.tls.ca.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
    let sentence = format!(
        "Whether the certificate of {} is trusted can't be told: the platform does not know its issuer, and the profile's `ca` file {file} can't be read as PEM certificates.",
        case.target()
    );
    Judgement::error(sentence)
        .remedy(Who::Profile, format!("Give a readable PEM file with certificates as `ca` instead of {file}."))
}

/// Whose certificate is at fault.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Server,
    /// Between the server's own and a root.
    Issuer,
    /// The root, or another authority that this machine or the profile trusts.
    Authority,
}

impl Place {
    pub fn subject(self) -> &'static str {
        match self {
            Self::Server => "The certificate",
            Self::Issuer => "An issuer's certificate in the chain",
            Self::Authority => "The authority at the end of the chain",
        }
    }
}

fn chain(case: &Case) -> Vec<Presented> {
    read(case, Fact::TlsChain)
}

fn faults(case: &Case) -> Vec<Fault> {
    read(case, Fact::TlsFault)
}

fn read<T: serde::de::DeserializeOwned>(case: &Case, fact: Fact) -> Vec<T> {
    case.evidence.fact(fact).and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

fn decisive(case: &Case) -> Option<Fault> {
    faults(case).into_iter().next()
}

/// The certificate that decided the verdict; the server's own where the facts do not say.
pub(super) fn at_fault(case: &Case) -> (Place, Presented) {
    let index = decisive(case).map_or(0, |fault| fault.certificate);
    let chain = chain(case);
    match chain.get(index) {
        Some(certificate) if index == 0 => (Place::Server, certificate.clone()),
        Some(root) if root.subject == root.issuer => (Place::Authority, root.clone()),
        Some(issuer) => (Place::Issuer, issuer.clone()),
        None if index == 0 => (Place::Server, Presented::default()),
        None => (Place::Authority, authority(case, &chain)),
    }
}

/// The trusted authority behind what was presented, as far as it is known.
fn authority(case: &Case, chain: &[Presented]) -> Presented {
    let told = case.evidence.fact(Fact::TlsAuthority).and_then(|value| serde_json::from_value(value.clone()).ok());
    let named = || chain.last().map(|last| Presented { subject: last.issuer.clone(), ..Presented::default() });
    told.or_else(named).unwrap_or_default()
}

/// What else is wrong with the chain, so that one visit to the server is enough; empty where nothing is.
pub(super) fn others(case: &Case) -> String {
    let words: Vec<&str> = faults(case).iter().skip(1).filter_map(|fault| also(fault.what)).collect();
    if words.is_empty() { String::new() } else { format!(" Besides, it {}.", words.join(", and ")) }
}

fn also(what: Wrong) -> Option<&'static str> {
    match what {
        Wrong::Expired => Some("has expired"),
        Wrong::NotYetValid => Some("is not valid yet"),
        Wrong::NameMismatch => Some("is not for the name that was asked for"),
        Wrong::SelfSigned | Wrong::IncompleteChain | Wrong::UnknownIssuer => {
            Some("is not from an authority that this machine trusts")
        }
        _ => None,
    }
}

pub(super) fn shown(name: &str) -> &str {
    if name.is_empty() { "an unreadable name" } else { name }
}

/// The date of an RFC 3339 time.
pub(super) fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}
