//! Certificates for tests: authorities made on the spot, and what they sign.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

const DAY: Duration = Duration::from_secs(86_400);

/// When a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub enum When {
    Now,
    Past,
    Future,
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate with its key.
pub struct Issued {
    pub pem: String,
    pub der: Vec<u8>,
    pub key: String,
}

impl Authority {
    pub fn root(name: &str) -> Self {
        Self::root_of(name, When::Now)
    }

    pub fn root_of(name: &str, when: When) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name, when), key()).expect("a root");
        Self(issuer)
    }

    pub fn intermediate(&self, name: &str, when: When) -> Self {
        let issuer = CertifiedIssuer::signed_by(authority(name, when), key(), &self.0).expect("an intermediate");
        Self(issuer)
    }

    pub fn issue(&self, names: &[&str], when: When) -> Issued {
        self.issue_as(&server(names, when))
    }

    pub fn issue_as(&self, params: &CertificateParams) -> Issued {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Issued { pem: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_pem() }
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes the authority's certificate to a file.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        std::fs::write(&path, self.pem()).expect("written");
        path
    }
}

/// Signed by nobody but itself; `authority`: it may also sign others, as `openssl req -x509` makes them.
pub fn self_signed(names: &[&str], authority: bool) -> Issued {
    let key = key();
    let mut params = server(names, When::Now);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let certificate = params.self_signed(&key).expect("a certificate");
    Issued { pem: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_pem() }
}

impl Issued {
    /// SHA-256 in lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.der);
        digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// Presents the authorities' certificates after its own.
    pub fn with(mut self, authorities: &[&Authority]) -> Self {
        for authority in authorities {
            self.pem += &authority.pem();
        }
        self
    }
}

/// The parameters of a server's certificate: the first name is also the subject's.
pub fn server(names: &[&str], when: When) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let common = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, common);
    dated(params, when)
}

fn authority(name: &str, when: When) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    dated(params, when)
}

fn dated(mut params: CertificateParams, when: When) -> CertificateParams {
    let now = SystemTime::now();
    // Half days, so that counting whole days does not depend on the second.
    let (from, until) = match when {
        When::Now => (now - 5 * DAY / 2, now + 61 * DAY / 2),
        When::Past => (now - 61 * DAY / 2, now - 5 * DAY / 2),
        When::Future => (now + 5 * DAY / 2, now + 61 * DAY / 2),
    };
    params.not_before = from.into();
    params.not_after = until.into();
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
