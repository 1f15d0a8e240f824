//! Asking the operating system: hosts file, VPN, NSS, NRPT and whatever else its resolver honours.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::answer::Answer;
use crate::model::evidence::Failure;
use crate::net::failure;

/// Who answers, for people.
pub(super) const NAME: &str = "system resolver";

type Asking = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// The operating system's way of resolving a name, or what stands for it.
#[derive(Clone)]
pub struct SystemLookup(Arc<Asking>);

impl Default for SystemLookup {
    fn default() -> Self {
        Self::new(|host| async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl SystemLookup {
    pub fn new<L>(lookup: impl Fn(String) -> L + Send + Sync + 'static) -> Self
    where
        L: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |host| lookup(host).boxed()))
    }

    pub(super) fn ask(&self, host: String) -> impl Future<Output = Answer> + Send + 'static {
        let asked = (self.0)(host);
        async move {
            let begun = Instant::now();
            let answer = match asked.await {
                Ok(addresses) => Answer::found(NAME, addresses),
                Err(error) => Answer::none(NAME, reason(&error), error.to_string()),
            };
            Answer { took: begun.elapsed(), ..answer }
        }
    }
}

/// Why there is no address. Only Windows has numbers for it that the standard library passes on.
fn reason(error: &io::Error) -> Option<Failure> {
    let (failure, _) = failure::of_io(error);
    matches!(failure, Failure::NameNotFound | Failure::NameNoAddress | Failure::NameServerFailed).then_some(failure)
}
