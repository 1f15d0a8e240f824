//! Names to addresses: through the operating system and through the name servers, both shown where they differ.
//!
//! The operating system's answer is what the product's own client gets (hosts file, VPN, NSS, NRPT), so it decides, unless
//! the profile names the servers to ask. The other way is asked at the same time, so that a failure has a typed reason
//! (the operating system's has none on most platforms) and a disagreement is seen. One step each; only the step of the
//! way that decides can fail.
//!
//! Each name is asked for once in a run, however many checks need it, and goes on being asked when one of them gives up.

mod answer;
mod bare;
mod decide;
mod name_servers;
mod system;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, OnceLock, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use self::answer::Answer;
use self::decide::{Servers, Side};
use self::name_servers::NameServers;
pub use self::system::SystemLookup;
use super::Stopped;
use super::trace::Trace;
use crate::model::evidence::{Failure, StepKind};
use crate::model::token::Token;

/// Resolves names for a whole run, each name once. [`Resolver::default`] asks as the system is configured.
#[derive(Default)]
pub struct Resolver {
    system: SystemLookup,
    /// The name servers to ask; the system's where empty.
    configured: Vec<SocketAddr>,
    decides: Way,
    servers: OnceLock<NameServers>,
    /// What they say of a name that nobody has.
    nobody: OnceLock<Asked>,
    names: Mutex<HashMap<String, Lookup>>,
}

/// One name, asked for both ways.
#[derive(Clone)]
struct Lookup {
    system: Asked,
    /// What the name servers say together.
    dns: Asked,
    /// What each of them says.
    servers: Vec<Server>,
}

/// What one name server says.
#[derive(Clone)]
struct Server {
    /// For people.
    name: String,
    asked: Asked,
}

type Asked = Shared<BoxFuture<'static, Answer>>;

/// Which way's answer is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Way {
    #[default]
    System,
    NameServers,
}

impl Resolver {
    /// A resolver whose answers come from these name servers; without any, it is [`Resolver::default`].
    #[must_use]
    pub fn with_name_servers(servers: Vec<SocketAddr>) -> Self {
        let decides = if servers.is_empty() { Way::System } else { Way::NameServers };
        Self { configured: servers, decides, ..Self::default() }
    }

    /// A resolver whose answers come from the operating system, compared with those of these name servers in place of the
    /// system's own.
    #[must_use]
    pub fn comparing_with(servers: Vec<SocketAddr>) -> Self {
        Self { configured: servers, ..Self::default() }
    }

    /// Replaces the operating system's way of asking.
    #[must_use]
    pub fn with_system(self, system: SystemLookup) -> Self {
        Self { system, ..self }
    }

    /// The addresses of `host`, at most eight, each once, in the order in which the deciding way prefers them. An address,
    /// with or without brackets, is its own answer and takes no step.
    ///
    /// # Errors
    /// [`Stopped`] where the deciding way gives no address; its step holds the reason. That the other way knows the name
    /// is then told by [`Fact::SystemAddresses`] or [`Fact::DnsAddresses`].
    pub async fn resolve(&self, host: &str, trace: &Trace) -> Result<Vec<IpAddr>, Stopped> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        let lookup = self.lookup(host);
        let begin = || trace.begin(StepKind::Resolve, Some(host.to_owned()));
        let system = Side { step: begin(), asked: lookup.system, way: Way::System };
        let dns = Side { step: begin(), asked: lookup.dns, way: Way::NameServers };
        let ask_again = || self.servers().ask(host);
        let servers = Servers { asked: &lookup.servers, ask_again: &ask_again };
        let addresses = match self.decides {
            Way::System => decide::decide(system, dns, servers, trace).await,
            Way::NameServers => decide::decide(dns, system, servers, trace).await,
        }?;
        decide::given_to_any_name(&addresses, self.nobody(), trace).await;
        Ok(addresses)
    }

    /// The lookup of a name that nobody has, begun if it was not yet.
    fn nobody(&self) -> Asked {
        let begin = || shared(name_servers::first(&self.servers().ask(&name_of_nobody())));
        self.nobody.get_or_init(begin).clone()
    }

    fn servers(&self) -> &NameServers {
        self.servers.get_or_init(|| NameServers::new(&self.configured))
    }

    /// The shared lookup of a name, begun if it was not yet.
    fn lookup(&self, host: &str) -> Lookup {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.entry(host.to_lowercase()).or_insert_with(|| self.begin(host)).clone()
    }

    fn begin(&self, host: &str) -> Lookup {
        let servers = self.servers().ask(host);
        let dns = shared(name_servers::first(&servers));
        Lookup { system: shared(self.system.ask(host.to_owned())), dns, servers }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("configured", &self.configured)
            .field("decides", &self.decides)
            .finish_non_exhaustive()
    }
}

/// Runs a lookup on its own, so that it outlives whoever asked first.
fn shared(lookup: impl Future<Output = Answer> + Send + 'static) -> Asked {
    let task = tokio::spawn(lookup);
    let ended = |result: Result<Answer, _>| {
        result.unwrap_or_else(|_| Answer::none("the lookup", Some(Failure::Internal), "it ended without a result"))
    };
    task.map(ended).boxed().shared()
}

/// Below a domain that is set aside for examples (RFC 6761 6.5). Some name servers know of themselves that there is nothing
/// below `invalid`, and would say so even where they give one address to all other names.
fn name_of_nobody() -> String {
    format!("bothways-{}.example.", Token::random().as_str())
}

/// An address that needs no resolving.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}
