//! The only code that dials out. Every step is recorded into a [`trace::Trace`]; nothing here judges.

pub mod channel;
pub mod count;
pub mod failure;
pub mod http;
pub mod introduce;
pub mod path;
pub mod proxy;
pub mod resolve;
pub mod tcp;
pub mod tds;
pub mod tls;
pub mod trace;
pub mod udp;

use std::collections::HashMap;

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::secret::SecretSource;

/// The conversation ended early; the trace holds the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// A two-way byte stream, whatever it runs over.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A boxed [`Duplex`].
pub type Stream = Box<dyn Duplex>;

/// What every probe of a run shares.
pub struct Net {
    pub resolver: resolve::Resolver,
    pub paths: path::Paths,
    secrets: HashMap<SecretSource, SecretString>,
}

impl Net {
    #[must_use]
    pub fn new(resolver: resolve::Resolver, secrets: HashMap<SecretSource, SecretString>) -> Self {
        Self { resolver, paths: path::Paths::default(), secrets }
    }

    /// The secret behind a reference, as it was read before the run.
    #[must_use]
    pub fn secret(&self, source: &SecretSource) -> Option<&SecretString> {
        self.secrets.get(source)
    }
}
