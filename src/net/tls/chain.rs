//! Certificates as they were presented, to plain facts. Reads only; whether they are trusted is said in [`super::verdict`].

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::asn1_rs::Any;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::model::certificate::{Presented, Wrong};

/// Names of one certificate that are kept; some shared certificates carry hundreds.
const MOST_NAMES: usize = 100;
/// Characters of one name that are kept.
const LONGEST: usize = 256;

/// One certificate of a chain, read.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    pub facts: Presented,
    /// Seconds since 1970; absent where the certificate can't be read.
    pub validity: Option<(i64, i64)>,
    /// Whether its extended key usage allows servers, or says nothing.
    pub for_servers: bool,
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

impl Link {
    /// Reads one certificate; what can't be read has empty facts, and its fingerprint.
    pub fn read(der: &[u8]) -> Self {
        let sha256 = fingerprint(der);
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Self { facts: Presented { sha256, ..Presented::default() }, ..Self::default() };
        };
        let validity = certificate.validity();
        let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Self {
            facts: Presented {
                subject: printable(&certificate.subject().to_string()),
                issuer: printable(&certificate.issuer().to_string()),
                names: names(&certificate),
                not_before: rfc3339(from),
                not_after: rfc3339(until),
                sha256,
                key: fingerprint(certificate.public_key().raw),
                rsa_bits: rsa_bits(&certificate),
                weak_hash: weak_hash(&certificate).map(str::to_owned),
                issuer_at: issuer_at(&certificate),
            },
            validity: Some((from, until)),
            for_servers: for_servers(&certificate),
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
        }
    }

    pub fn is_expired(&self, now: i64) -> bool {
        self.validity.is_some_and(|(_, until)| until < now)
    }

    pub fn is_not_yet_valid(&self, now: i64) -> bool {
        self.validity.is_some_and(|(from, _)| now < from)
    }

    /// What is wrong with its dates.
    pub fn wrong_dates(&self, now: i64) -> Option<Wrong> {
        if self.is_expired(now) {
            return Some(Wrong::Expired);
        }
        self.is_not_yet_valid(now).then_some(Wrong::NotYetValid)
    }

    /// A time at which it was or will be valid.
    pub fn valid_time(&self) -> Option<UnixTime> {
        let (from, until) = self.validity?;
        let middle = u64::try_from(from.midpoint(until)).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(middle)))
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.validity.is_some() && self.subject == self.issuer
    }

    pub fn is_issued_by(&self, other: &Self) -> bool {
        other.validity.is_some() && self.issuer == other.subject
    }
}

/// The places in the chain that lead from the leaf towards a root, as far as the server presented them.
pub(super) fn walk(links: &[Link]) -> Vec<usize> {
    let mut path = Vec::new();
    let mut at = 0;
    while let Some(link) = links.get(at) {
        path.push(at);
        let next = links.iter().enumerate().find(|(index, other)| !path.contains(index) && link.is_issued_by(other));
        match next {
            Some((index, _)) if !link.is_self_issued() => at = index,
            _ => break,
        }
    }
    path
}

/// The public key of a certificate of any version: the content of its algorithm identifier, and the key itself.
pub(super) fn key_of(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let key = certificate.public_key();
    // RFC 5280 4.1: a sequence of the identifier, which is one itself, and the key.
    let (_, whole) = Any::from_der(key.raw).ok()?;
    let (_, identifier) = Any::from_der(whole.data).ok()?;
    Some((identifier.data.to_vec(), key.subject_public_key.data.to_vec()))
}

/// SHA-256 in lower-case hexadecimal, without colons.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The facts of a whole chain, leaf first.
pub(super) fn read(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Vec<Link> {
    std::iter::once(leaf).chain(others).map(|der| Link::read(der)).collect()
}

fn names(certificate: &X509Certificate) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName| match name {
        GeneralName::DNSName(text) => Some(printable(text)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).take(MOST_NAMES).collect()
}

fn for_servers(certificate: &X509Certificate) -> bool {
    match certificate.extended_key_usage() {
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        _ => true,
    }
}

fn rsa_bits(certificate: &X509Certificate) -> Option<usize> {
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(key.key_size()),
        _ => None,
    }
}

/// Hashes that are no longer accepted, by the identifier of the signature (RFC 8017, RFC 5758).
fn weak_hash(certificate: &X509Certificate) -> Option<&'static str> {
    let known = [
        ("1.2.840.113549.1.1.4", "MD5"),
        ("1.2.840.113549.1.1.5", "SHA-1"),
        ("1.2.840.10040.4.3", "SHA-1"),
        ("1.2.840.10045.4.1", "SHA-1"),
    ];
    let signature = certificate.signature_algorithm.algorithm.to_id_string();
    known.iter().find(|(number, _)| *number == signature).map(|(_, hash)| *hash)
}

/// Where the issuer's certificate is, as the certificate says (RFC 5280 4.2.2.1).
fn issuer_at(certificate: &X509Certificate) -> Option<String> {
    let places = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(places) => Some(places),
        _ => None,
    })?;
    let issuers =
        places.accessdescs.iter().filter(|place| place.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS);
    issuers.into_iter().find_map(|place| match &place.access_location {
        GeneralName::URI(uri) => Some(printable(uri)),
        _ => None,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}

/// Text from the network, harmless on a terminal and bounded.
pub(super) fn printable(text: &str) -> String {
    let harmless = |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    text.chars().take(LONGEST).map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(subject: &str, issuer: &str) -> Link {
        Link { validity: Some((0, 1)), subject: subject.into(), issuer: issuer.into(), ..Link::default() }
    }

    #[test]
    fn the_walk_follows_issuers_whatever_the_order() {
        let links = [link("leaf", "low"), link("root", "root"), link("stray", "nobody"), link("low", "root")];
        assert_eq!(walk(&links), [0, 3, 1]);
    }

    #[test]
    fn the_walk_ends_where_issuers_name_each_other_in_a_circle() {
        assert_eq!(walk(&[link("a", "b"), link("b", "a")]), [0, 1]);
        assert_eq!(walk(&[]), [0_usize; 0]);
    }

    #[test]
    fn control_characters_of_a_name_do_not_reach_a_terminal() {
        assert_eq!(printable("CN=a\u{1b}[2J\nb"), "CN=a\u{fffd}[2J\u{fffd}b");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let link = Link::read(&bytes);
            prop_assert_eq!(link.facts.sha256.len(), 64);
        }

        #[test]
        fn no_change_to_a_real_certificate_makes_the_reader_panic(at in 0_usize..400, value in any::<u8>()) {
            let mut der = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap().cert.der().to_vec();
            let index = at % der.len();
            der[index] = value;
            let _ = Link::read(&der);
        }
    }
}
