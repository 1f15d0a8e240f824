//! Names to addresses: through the operating system and through the name servers, both shown where they differ.
//!
//! The operating system's answer is what the product's own client gets (hosts file, VPN, NSS, NRPT), so it decides, unless
//! the profile names the servers to ask. The other way is asked at the same time, so that a failure has a typed reason
//! (the operating system's has none on most platforms) and a disagreement is seen. One step each; only the step of the
//! way that decides can fail.
//!
//! Each name is asked for once in a run, however many checks need it, and goes on being asked when one of them gives up.

mod name_servers;
mod system;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Shared, select};
use tokio::time::timeout;

use self::name_servers::NameServers;
pub use self::system::SystemLookup;
use super::Stopped;
use super::trace::{OpenStep, Trace};
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;

/// The most addresses of one name that are used.
const MOST_ADDRESSES: usize = 8;
/// How long the way that does not decide is waited for when the other has answered, or all hope is lost.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Resolves names for a whole run, each name once. [`Resolver::default`] asks as the system is configured.
#[derive(Default)]
pub struct Resolver {
    system: SystemLookup,
    /// The name servers to ask; the system's where empty.
    configured: Vec<SocketAddr>,
    decides: Way,
    servers: Arc<OnceLock<NameServers>>,
    names: Mutex<HashMap<String, Lookup>>,
}

/// One name, asked for both ways.
#[derive(Clone)]
struct Lookup {
    system: Asked,
    dns: Asked,
}

type Asked = Shared<BoxFuture<'static, Answer>>;

/// What one way of asking gave.
#[derive(Debug, Clone)]
struct Answer {
    /// Who answered, for people.
    who: String,
    addresses: Result<Vec<IpAddr>, NoAddress>,
}

/// Why there is no address.
#[derive(Debug, Clone)]
struct NoAddress {
    /// Absent where the operating system does not tell.
    failure: Option<Failure>,
    /// For people.
    text: String,
}

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
        match self.decides {
            Way::System => decide(system, dns, trace).await,
            Way::NameServers => decide(dns, system, trace).await,
        }
    }

    /// The shared lookup of a name, begun if it was not yet.
    fn lookup(&self, host: &str) -> Lookup {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.entry(host.to_lowercase()).or_insert_with(|| self.begin(host)).clone()
    }

    fn begin(&self, host: &str) -> Lookup {
        let (servers, configured, name) = (Arc::clone(&self.servers), self.configured.clone(), host.to_owned());
        let dns = async move { servers.get_or_init(|| NameServers::new(&configured)).ask(&name).await };
        Lookup { system: shared(self.system.ask(host.to_owned())), dns: shared(dns) }
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

/// One way of asking, with its open step.
struct Side {
    step: OpenStep,
    asked: Asked,
    way: Way,
}

/// Awaits the deciding way, and the other as long as it is useful; ends both steps.
async fn decide(deciding: Side, other: Side, trace: &Trace) -> Result<Vec<IpAddr>, Stopped> {
    match select(deciding.asked, other.asked).await {
        Either::Left((answer, other_asked)) => match answer.addresses {
            Ok(ref addresses) => {
                deciding.step.pass_with(answer.line());
                let second = timeout(PATIENCE, other_asked).await.ok();
                close(other.step, second.as_ref());
                compare(deciding.way, addresses, second.as_ref(), trace);
                Ok(used(addresses))
            }
            Err(ref missing) => {
                // Where the system does not say why, the name servers do, in a time that is bounded.
                let second = match missing.failure {
                    None => Some(other_asked.await),
                    Some(_) => timeout(PATIENCE, other_asked).await.ok(),
                };
                close(other.step, second.as_ref());
                Err(fail(deciding.step, deciding.way, &answer, missing, second.as_ref(), trace))
            }
        },
        Either::Right((second, asked)) => {
            close(other.step, Some(&second));
            // Name servers that are all silent leave the system with nothing but its own, longer, patience.
            let hopeless =
                matches!(&second.addresses, Err(missing) if missing.failure == Some(Failure::NameServerSilent));
            let answer = if hopeless && deciding.way == Way::System {
                let silent = || Answer::none(system::NAME, Some(Failure::NameServerSilent), "no answer in time");
                timeout(PATIENCE, asked).await.unwrap_or_else(|_| silent())
            } else {
                asked.await
            };
            match &answer.addresses {
                Ok(addresses) => {
                    deciding.step.pass_with(answer.line());
                    compare(deciding.way, addresses, Some(&second), trace);
                    Ok(used(addresses))
                }
                Err(missing) => Err(fail(deciding.step, deciding.way, &answer, missing, Some(&second), trace)),
            }
        }
    }
}

/// Ends the step of the way that does not decide: never as failed, whatever it gave.
fn close(step: OpenStep, answer: Option<&Answer>) {
    step.pass_with(
        answer.map_or_else(|| "no answer yet when the other way had one: not waited for".to_owned(), Answer::line),
    );
}

/// Ends the deciding step as failed, for the best reason that is known.
fn fail(
    step: OpenStep,
    way: Way,
    answer: &Answer,
    missing: &NoAddress,
    second: Option<&Answer>,
    trace: &Trace,
) -> Stopped {
    let from_other = match second.map(|second| &second.addresses) {
        Some(Ok(addresses)) => {
            trace.fact(other_fact(way), shown(addresses));
            None
        }
        Some(Err(missing)) => {
            if let (Way::System, Some(second)) = (way, second) {
                trace.fact(Fact::DnsFailure, second.line());
            }
            missing.failure
        }
        None => None,
    };
    trace.fact(Fact::Detail, missing.text.as_str());
    let failure = match way {
        // Where the name servers know the name, the system was asked well and does not know it.
        Way::System => from_other.or(missing.failure),
        Way::NameServers => missing.failure,
    };
    step.fail_with(failure.unwrap_or(Failure::NameNotFound), answer.line())
}

/// Publishes a disagreement: no address in common, or the name servers know none.
fn compare(way: Way, addresses: &[IpAddr], second: Option<&Answer>, trace: &Trace) {
    let own_fact = if way == Way::System { Fact::SystemAddresses } else { Fact::DnsAddresses };
    match second.map(|second| (second, &second.addresses)) {
        Some((_, Ok(others))) if others.iter().any(|other| addresses.contains(other)) => (),
        Some((_, Ok(others))) => {
            trace.fact(own_fact, shown(addresses));
            trace.fact(other_fact(way), shown(others));
        }
        Some((second, Err(_))) if way == Way::System => trace.fact(Fact::DnsFailure, second.line()),
        None if way == Way::System => trace.fact(Fact::DnsFailure, "no answer in time"),
        _ => (),
    }
}

fn other_fact(way: Way) -> Fact {
    match way {
        Way::System => Fact::DnsAddresses,
        Way::NameServers => Fact::SystemAddresses,
    }
}

fn shown(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().take(MOST_ADDRESSES).map(IpAddr::to_string).collect()
}

fn used(addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().copied().take(MOST_ADDRESSES).collect()
}

/// An address that needs no resolving.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

impl Answer {
    /// The addresses found, each once; none at all is a name without an address.
    fn found(who: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut distinct = Vec::new();
        for address in addresses {
            if !distinct.contains(&address) {
                distinct.push(address);
            }
        }
        if distinct.is_empty() {
            return Self::none(who, Some(Failure::NameNoAddress), "the name has no address");
        }
        Self { who: who.into(), addresses: Ok(distinct) }
    }

    fn none(who: impl Into<String>, failure: Option<Failure>, text: impl Into<String>) -> Self {
        Self { who: who.into(), addresses: Err(NoAddress { failure, text: text.into() }) }
    }

    /// One line for people: who, and what.
    fn line(&self) -> String {
        match &self.addresses {
            Ok(addresses) => format!("{}: {}", self.who, shown(addresses).join(", ")),
            Err(missing) => format!("{}: {}", self.who, missing.text),
        }
    }
}
