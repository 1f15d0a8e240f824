//! A second opinion: what this platform's own TLS library (SChannel on Windows, OpenSSL elsewhere) makes of the server.
//!
//! The product's own client uses that library, which may accept what rustls refuses: versions before TLS 1.2 where the
//! system's policy still allows them, certificates without names besides the subject's, and self-made ones in the store.

use std::error::Error;
use std::io;

use native_tls::{Certificate, Protocol, TlsConnector};

use super::{chain, verdict};
use crate::model::ask::TlsExpectation;
use crate::net::Stream;

/// What the platform's own TLS library said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformOpinion {
    /// The handshake and the certificate are accepted.
    Trusted {
        /// SHA-256 of the certificate that it accepted, in lower-case hexadecimal.
        fingerprint: String,
    },
    /// The handshake or the certificate is refused.
    Refused {
        /// The library's own words, for people.
        detail: String,
    },
    /// No second handshake could be held: the connection did not open, broke, or stayed silent.
    Unreachable,
}

impl PlatformOpinion {
    /// One line for the record.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Trusted { .. } => "trusted".to_owned(),
            Self::Refused { detail } => format!("refused: {detail}"),
            Self::Unreachable => "could not be asked: no second connection".to_owned(),
        }
    }
}

/// Holds a second handshake, with the platform's own library, over a connection of its own. Nothing is sent over it.
///
/// Versions back to TLS 1.0 are offered; the library's policy decides which of them it really speaks.
pub async fn platform_opinion(stream: Stream, name: &str, expectation: &TlsExpectation) -> PlatformOpinion {
    let ca = expectation.ca.clone();
    // Reading the store takes tens of milliseconds.
    let connector = tokio::task::spawn_blocking(move || connector(ca.as_deref())).await;
    let connector = match connector {
        Ok(Ok(connector)) => tokio_native_tls::TlsConnector::from(connector),
        Ok(Err(error)) => return PlatformOpinion::Refused { detail: chain::printable(&error.to_string()) },
        Err(_) => return PlatformOpinion::Unreachable,
    };
    match connector.connect(super::plain_name(name), stream).await {
        Ok(tls) => {
            let leaf = tls.get_ref().peer_certificate().ok().flatten().and_then(|leaf| leaf.to_der().ok());
            PlatformOpinion::Trusted { fingerprint: leaf.map(|der| chain::fingerprint(&der)).unwrap_or_default() }
        }
        Err(error) if is_broken_connection(&error) => PlatformOpinion::Unreachable,
        Err(error) => PlatformOpinion::Refused { detail: chain::printable(&error.to_string()) },
    }
}

fn connector(ca: Option<&std::path::Path>) -> native_tls::Result<TlsConnector> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv10));
    for authority in ca.and_then(verdict::authorities).unwrap_or_default() {
        builder.add_root_certificate(Certificate::from_der(&authority)?);
    }
    builder.build()
}

/// Whether the connection failed rather than the handshake. SChannel's own codes come as I/O errors too, but of no kind.
fn is_broken_connection(error: &native_tls::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind as K;
            let kind = error.kind();
            return matches!(kind, K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof);
        }
        cause = error.source();
    }
    false
}
