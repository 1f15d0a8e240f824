//! Who signed the certificates of a whole run: one signer behind hosts that have nothing to do with each other opens TLS on
//! the way. Pure.
//!
//! A company's own authority signs for many of its servers, so its name alone is no evidence where this machine trusts it;
//! and hosts under one domain are never unrelated. Devices that open TLS commonly give all certificates that they make the
//! same key, which servers do not share.

use std::net::IpAddr;

use super::judge::inspector;
use crate::model::certificate::Presented;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Remedy, Status, Who};
use crate::model::run::Outcome;

/// Why certificates are held for made on the way.
enum Evidence {
    /// The issuer's name is that of a product that opens TLS.
    Product(&'static str),
    /// Another certificate of an unrelated host has the same key.
    SameKey(String),
    /// Another certificate of an unrelated host, from the same issuer that nobody here knows.
    SameIssuer(String),
}

/// Judges outcomes again whose certificates were made on the way, by what all of them show together.
pub fn judge(outcomes: &mut [Outcome]) {
    let leaves: Vec<Option<Leaf>> = outcomes.iter().map(Leaf::of).collect();
    for (place, outcome) in outcomes.iter_mut().enumerate() {
        if let Some(leaf) = leaves[place].as_ref()
            && let Some(evidence) = evidence(leaf, &leaves)
        {
            tell(outcome, leaf, &evidence);
        }
    }
}

/// The certificate of one outcome, where its issuer is open to question.
struct Leaf {
    host: String,
    facts: Presented,
    trusted: bool,
}

impl Leaf {
    fn of(outcome: &Outcome) -> Option<Self> {
        let trusted = match (outcome.status, outcome.code) {
            (Status::Pass, _) => true,
            (Status::Fail, Code::TlsUntrusted) => false,
            _ => return None,
        };
        // Who has named the very certificate, or wants none judged, is not to be told of its issuer.
        if matches!(outcome.text(Fact::TlsTrust), Some("fingerprint" | "nobody")) {
            return None;
        }
        let chain: Vec<Presented> = serde_json::from_value(outcome.facts.get(Fact::TlsChain.word())?.clone()).ok()?;
        let facts = chain.into_iter().next()?;
        let host = outcome.host()?;
        Some(Self { host: host.to_lowercase(), facts, trusted })
    }

    /// Whether the two can hardly belong to the same owner: other certificates, for names in other domains.
    fn is_unrelated(&self, other: &Self) -> bool {
        let domains = domain(&self.host).zip(domain(&other.host));
        self.facts.sha256 != other.facts.sha256 && domains.is_some_and(|(one, another)| one != another)
    }

    fn is_self_signed(&self) -> bool {
        self.facts.issuer == self.facts.subject
    }
}

/// The last two labels of a name. An address, and a name of one label, can't be told from others.
fn domain(host: &str) -> Option<&str> {
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return None;
    }
    let host = host.trim_end_matches('.');
    let (start, _) = host.rmatch_indices('.').nth(1).unwrap_or((0, ""));
    let domain = host[start..].trim_start_matches('.');
    domain.contains('.').then_some(domain)
}

fn evidence(leaf: &Leaf, all: &[Option<Leaf>]) -> Option<Evidence> {
    let unrelated: Vec<&Leaf> = all.iter().flatten().filter(|other| leaf.is_unrelated(other)).collect();
    let same_key = unrelated.iter().find(|other| !leaf.facts.key.is_empty() && leaf.facts.key == other.facts.key);
    if let Some(other) = same_key {
        return Some(Evidence::SameKey(other.host.clone()));
    }
    if let Some(product) = inspector::named(&leaf.facts.issuer) {
        return Some(Evidence::Product(product));
    }
    if leaf.trusted || leaf.is_self_signed() || leaf.facts.issuer.is_empty() {
        return None;
    }
    let same_issuer = unrelated.iter().find(|other| !other.trusted && leaf.facts.issuer == other.facts.issuer);
    same_issuer.map(|other| Evidence::SameIssuer(other.host.clone()))
}

fn tell(outcome: &mut Outcome, leaf: &Leaf, evidence: &Evidence) {
    let (host, issuer) = (&leaf.host, &leaf.facts.issuer);
    let (what, confidence) = match evidence {
        Evidence::SameKey(other) => (
            format!(
                "The certificates of {host} and of {other}, which have nothing to do with each other, have the same key, and {issuer} issued them"
            ),
            Confidence::Likely,
        ),
        Evidence::Product(product) => (
            format!(
                "The certificate of {host} was issued by {issuer}, as {product} does for connections that it opens"
            ),
            Confidence::Likely,
        ),
        Evidence::SameIssuer(other) => (
            format!(
                "The certificates of {host} and of {other}, which have nothing to do with each other, were both issued by {issuer}"
            ),
            Confidence::Possible,
        ),
    };
    let (trust, install) = if leaf.trusted {
        ("; this machine trusts it, so that the flow works", "")
    } else {
        (", and this machine does not trust it", " Or install that authority in this machine's trust store.")
    };
    let or = match evidence {
        Evidence::SameIssuer(_) => ", unless it is an authority of your own",
        _ => "",
    };
    let sentence = format!("{what}: a device on the way opens TLS{or}{trust}.");
    let judgement = if leaf.trusted {
        Judgement::warn(Code::TlsIntercepted, confidence, sentence)
    } else {
        Judgement::fail(Code::TlsIntercepted, confidence, sentence)
    };
    let text = format!("Exempt `{host}` from TLS inspection.{install}");
    let remedy = Remedy { who: Who::Network, text };
    outcome.status = judgement.status;
    outcome.code = judgement.code;
    outcome.confidence = judgement.confidence;
    outcome.sentence = judgement.sentence;
    outcome.remedy = Some(remedy);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(host: &str, key: &str, trusted: bool) -> Leaf {
        let facts = Presented {
            subject: format!("CN={host}"),
            issuer: "CN=Corp CA".to_owned(),
            sha256: format!("certificate of {host}"),
            key: key.to_owned(),
            ..Presented::default()
        };
        Leaf { host: host.to_owned(), facts, trusted }
    }

    fn of(first: Leaf, second: Leaf) -> Option<Evidence> {
        let all = [Some(first), Some(second)];
        evidence(all[0].as_ref()?, &all)
    }

    #[test]
    fn one_key_behind_unrelated_hosts_is_evidence_whoever_trusts_it() {
        for trusted in [true, false] {
            let seen = of(leaf("mdm.corp.example", "k", trusted), leaf("cdn.vendor.test", "k", trusted));
            assert!(matches!(seen, Some(Evidence::SameKey(host)) if host == "cdn.vendor.test"), "{trusted}");
        }
        assert!(of(leaf("mdm.corp.example", "k", true), leaf("files.corp.example", "k", true)).is_none());
    }

    #[test]
    fn one_issuer_behind_unrelated_hosts_is_evidence_only_where_nobody_knows_it() {
        let unknown = of(leaf("mdm.corp.example", "a", false), leaf("cdn.vendor.test", "b", false));
        assert!(matches!(unknown, Some(Evidence::SameIssuer(_))));
        assert!(of(leaf("mdm.corp.example", "a", true), leaf("cdn.vendor.test", "b", true)).is_none());
        assert!(of(leaf("mdm.corp.example", "a", false), leaf("files.corp.example", "b", false)).is_none());
        assert!(of(leaf("10.0.0.1", "a", false), leaf("10.0.0.2", "b", false)).is_none());
    }

    #[test]
    fn names_are_compared_by_their_last_two_labels_and_addresses_not_at_all() {
        assert_eq!(domain("mdm.corp.example"), Some("corp.example"));
        assert_eq!(domain("corp.example."), Some("corp.example"));
        assert_eq!(domain("mdm"), None);
        assert_eq!(domain("10.0.0.1"), None);
        assert_eq!(domain("[fd00::1]"), None);
    }
}
