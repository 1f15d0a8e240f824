//! The dates of the authority that a chain ends in. Verifiers ask nothing of a trusted authority but its name and key (RFC
//! 5280 6.1.1 (d)); SChannel, OpenSSL and .NET refuse one that is out of its dates, and so does the product.

use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::chain::Link;
use super::verdict::{self, Chain};
use crate::model::certificate::Wrong;

/// Trusted authorities, each with what its certificate says.
pub(super) struct Authorities(Vec<(CertificateDer<'static>, Link)>);

impl Authorities {
    pub fn of(certificates: Vec<CertificateDer<'static>>) -> Self {
        let read = |der: CertificateDer<'static>| {
            let link = Link::read(&der);
            (der, link)
        };
        Self(certificates.into_iter().map(read).collect())
    }

    /// Those of the platform's store; none on Windows and macOS, where the system's own engine looks at the dates.
    pub fn of_platform() -> &'static Self {
        static PLATFORM: OnceLock<Authorities> = OnceLock::new();
        PLATFORM.get_or_init(|| Self::of(listed()))
    }

    pub fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.0.iter().any(|(der, _)| der == certificate)
    }

    /// Whether they vouch for a chain, whatever their own dates.
    pub fn trust(&self, chain: &Chain, name: &ServerName<'_>, now: UnixTime) -> Result<(), Wrong> {
        trust(self.0.iter(), chain, name, now)
    }

    /// The authority out of its dates that a trusted chain ends in; nothing where it ends in another one as well.
    pub fn dated(&self, chain: &Chain, links: &[Link], name: &ServerName<'_>, now: UnixTime) -> Option<(Wrong, Link)> {
        let seconds = verdict::seconds(now);
        let wrong = |link: &Link| link.wrong_dates(seconds);
        let ends_here = |link: &Link| links.iter().any(|one| one.is_issued_by(link));
        let mut suspects = self.0.iter().filter(|(_, link)| wrong(link).is_some() && ends_here(link)).peekable();
        suspects.peek()?;
        if trust(self.0.iter().filter(|(_, link)| wrong(link).is_none()), chain, name, now).is_ok() {
            return None;
        }
        let (_, link) = suspects.find(|suspect| trust(std::iter::once(*suspect), chain, name, now).is_ok())?;
        Some((wrong(link)?, link.clone()))
    }
}

fn trust<'a>(
    authorities: impl Iterator<Item = &'a (CertificateDer<'static>, Link)>,
    chain: &Chain,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Wrong> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.map(|(der, _)| der.clone()));
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(verdict::provider())).build();
    verdict::ask(verifier.map_err(|_| Wrong::AuthoritiesUnreadable)?.as_ref(), chain, name, now)
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn listed() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn listed() -> Vec<CertificateDer<'static>> {
    Vec::new()
}
