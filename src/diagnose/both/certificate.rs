//! The certificate that arrived beside the one that was presented: a difference is an interception, whoever trusts it.

use super::view::View;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

pub(super) fn judge(view: &View) -> Option<Judgement> {
    let arrived = plain(view.text(Fact::TlsFingerprint)?);
    let presented = plain(presented(view)?);
    if arrived == presented {
        return None;
    }
    let target = view.target();
    let sentence = format!(
        "TLS to {target} is opened on the way: the far side presents the certificate {}, and {} arrived here.",
        short(&presented),
        short(&arrived)
    );
    Some(Judgement::fail(Code::TlsIntercepted, Confidence::Proven, sentence).remedy(
        Who::Network,
        format!(
            "Exempt {target} from TLS inspection. If a reverse proxy or load balancer ends TLS there on purpose, test behind it."
        ),
    ))
}

/// What the far side presented in this very conversation, else what its responders present to everybody.
fn presented<'a>(view: &'a View) -> Option<&'a str> {
    let of_receipt = view.receipt().and_then(|(_, receipt)| receipt.presented.as_deref());
    of_receipt.or_else(|| view.observed.certificate.as_deref().filter(|_| view.responder()))
}

/// Fingerprints are written with and without colons, in either case.
fn plain(fingerprint: &str) -> String {
    fingerprint.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect()
}

/// Enough of a fingerprint to tell two apart.
fn short(fingerprint: &str) -> String {
    format!("{}…", fingerprint.chars().take(16).collect::<String>())
}
