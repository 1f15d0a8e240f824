//! TLS handshakes: every fact of the certificate chain, and the platform's own verdict on it.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::trace::Trace;
use super::{Stopped, Stream};
use crate::model::ask::{TlsExpectation, Trust};
use crate::model::evidence::{Failure, StepKind};

/// Performs a TLS handshake over `stream` with the server called `name`; one step.
///
/// # Errors
/// [`Stopped`] where the handshake fails or the certificate is not what `expectation` wants; the step holds the reason.
pub async fn handshake(
    stream: Stream,
    name: &str,
    expectation: &TlsExpectation,
    alpn: &[&[u8]],
    trace: &Trace,
) -> Result<Stream, Stopped> {
    let step = trace.begin(StepKind::Tls, None);
    let (Some(mut config), Ok(name)) = (config(expectation.trust), ServerName::try_from(name.to_owned())) else {
        return Err(step.fail(Failure::Internal));
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    match tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => {
            step.pass();
            Ok(Box::new(stream))
        }
        Err(error) => match typed(&error) {
            Some(failure) => Err(step.fail(failure)),
            None => Err(step.fail_io(&error)),
        },
    }
}

fn typed(error: &io::Error) -> Option<Failure> {
    Some(match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidMessage(_) => Failure::NotTls,
        Error::PeerIncompatible(_) => Failure::TlsVersion,
        Error::AlertReceived(_) => Failure::TlsAlert,
        Error::InvalidCertificate(CertificateError::Expired) => Failure::TlsExpired,
        Error::InvalidCertificate(_) => Failure::TlsUntrusted,
        _ => return None,
    })
}

fn config(trust: Trust) -> Option<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().ok()?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Platform => Arc::new(Verifier::new(provider).ok()?),
        Trust::Anyone => Arc::new(Anyone(provider)),
    };
    Some(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
