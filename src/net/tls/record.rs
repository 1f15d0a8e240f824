//! What rustls calls back with during a handshake, kept: the certificates presented, and whether one was asked for.
//!
//! The verifier accepts every chain, so that the handshake ends and the facts are complete. Nothing is sent over such a
//! connection before [`super::verdict`] has judged it. Signatures are verified all the same: the server has the key.
//! Certificates that webpki can't read, such as those of X.509 version 1, are no reason to end the handshake either: what
//! they are worth is the verdict's to say, and the platform's own library may accept them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::chain;
use super::verdict::Chain;

/// Keeps what one handshake shows.
#[derive(Debug)]
pub(super) struct Recorder {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Option<Chain>>,
    certificate_requested: AtomicBool,
}

impl Recorder {
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, chain: Mutex::new(None), certificate_requested: AtomicBool::new(false) }
    }

    /// What the server presented, where it came so far.
    pub fn chain(&self) -> Option<Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the server asked for a certificate of this side.
    pub fn certificate_requested(&self) -> bool {
        self.certificate_requested.load(Ordering::Relaxed)
    }

    /// Verifies with the bare key of a certificate that webpki did not read, where it was that and not the signature.
    fn verify_unread(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        unread: CertificateError,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(unread, CertificateError::BadSignature) {
            return Err(unread.into());
        }
        let algorithms = self.provider.signature_verification_algorithms.mapping;
        let candidates = algorithms.iter().filter(|(scheme, _)| *scheme == dss.scheme).flat_map(|(_, all)| *all);
        let verified = chain::key_of(cert).is_some_and(|(algorithm, key)| {
            let mut fitting = candidates.filter(|candidate| *candidate.public_key_alg_id() == *algorithm);
            fitting.any(|candidate| candidate.verify_signature(&key, message, dss.signature()).is_ok())
        });
        if verified { Ok(HandshakeSignatureValid::assertion()) } else { Err(unread.into()) }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = Chain {
            leaf: end_entity.clone().into_owned(),
            others: intermediates.iter().map(|other| other.clone().into_owned()).collect(),
            ocsp: ocsp_response.to_vec(),
        };
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms) {
            Err(Error::InvalidCertificate(unread)) => self.verify_unread(message, cert, dss, unread),
            verified => verified,
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms) {
            Err(Error::InvalidCertificate(unread)) => self.verify_unread(message, cert, dss, unread),
            verified => verified,
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _sigschemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.certificate_requested.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
