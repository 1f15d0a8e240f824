//! Names to addresses: through the operating system and through the name servers, both shown where they differ.

use std::net::IpAddr;

use super::Stopped;
use super::trace::Trace;

/// Resolves names for a whole run, each name once.
#[derive(Debug, Default)]
pub struct Resolver {}

impl Resolver {
    /// The addresses of `host`, in the order in which the operating system prefers them; an address is its own answer.
    /// One step per way of asking.
    ///
    /// # Errors
    /// [`Stopped`] where neither way gives an address; the steps hold the reasons.
    pub async fn resolve(&self, host: &str, trace: &Trace) -> Result<Vec<IpAddr>, Stopped> {
        let _ = trace;
        host.parse().map(|address| vec![address]).map_err(|_| Stopped)
    }
}
