//! The certificate that responders present, made anew for each run.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

const DAY: Duration = Duration::from_secs(86_400);

/// A self-signed certificate with its key, and how peers recognise it.
#[derive(Clone)]
pub struct Certificate {
    /// SHA-256 of the certificate, in lower-case hexadecimal without colons.
    pub fingerprint: String,
    pem: String,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Certificate {
    /// The key stays out of every record.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Makes a certificate for these names and addresses (IPv6 with or without brackets), valid from yesterday, since
    /// clocks differ, and for a year.
    ///
    /// # Errors
    /// A name that no certificate can carry.
    pub fn for_names(names: &[String]) -> Result<Self, String> {
        let plain: Vec<String> = names.iter().map(|name| plain(name).to_owned()).collect();
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        let certificate = params(plain)
            .and_then(|params| params.self_signed(&key))
            .map_err(|error| format!("no certificate can be made for {}: {error}", names.join(", ")))?;
        let config = config(&certificate, &key).map_err(|error| error.to_string())?;
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate.der());
        Ok(Self {
            fingerprint: digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
            pem: certificate.pem(),
            config: Arc::new(config),
        })
    }

    /// The certificate without its key, for clients that are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// Speaks TLS 1.2 and 1.3 with this certificate. `alpn`: the application protocols to agree to, none for no matter.
    #[must_use]
    pub fn acceptor(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn plain(name: &str) -> &str {
    name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name)
}

fn params(names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "bothways responder");
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 365 * DAY).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn config(certificate: &rcgen::Certificate, key: &KeyPair) -> Result<ServerConfig, rustls::Error> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
}
