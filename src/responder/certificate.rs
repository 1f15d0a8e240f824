//! The certificate that responders present, made anew for each run.

use std::fmt::Write;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio_rustls::TlsAcceptor;

/// A self-signed certificate with its key, and how peers recognise it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// SHA-256 of the certificate, in lower-case hexadecimal without colons.
    pub fingerprint: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// Makes a certificate for these names and addresses.
    ///
    /// # Errors
    /// A name that no certificate can carry.
    pub fn for_names(names: &[String]) -> Result<Self, String> {
        let made = rcgen::generate_simple_self_signed(names.to_vec()).map_err(|error| error.to_string())?;
        let der = made.cert.der().clone();
        let digest = ::ring::digest::digest(&::ring::digest::SHA256, &der);
        let fingerprint = digest.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let key = made.signing_key.serialize_der().try_into().map_err(str::to_owned)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![der], key))
            .map_err(|error| error.to_string())?;
        Ok(Self { fingerprint, config: Arc::new(config) })
    }

    /// What accepts TLS with this certificate, offering these protocols.
    #[must_use]
    pub fn acceptor(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
