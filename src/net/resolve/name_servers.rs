//! Asking name servers directly, over UDP and TCP: A and AAAA, with the system's search list.
//!
//! Every server is asked at the same time. The first one that answers decides, also where it says that there is no such
//! name; one that fails or stays silent only matters where all of them do.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::{Server, bare, shared};
use crate::model::evidence::Failure;

const USUAL_PORT: u16 = 53;
/// The most servers that are asked.
const MOST_SERVERS: usize = 4;
/// How long one try may take, and how many more follow.
const TRY: Duration = Duration::from_millis(1500);
const MORE_TRIES: usize = 1;
/// How long one server may take, however many names the search list makes of one.
const MOST_TIME: Duration = Duration::from_secs(4);

/// After how long a server that has not answered is asked by way of [`bare`].
const ASK_BARELY: Duration = Duration::from_millis(500);

/// The servers to ask, or why there are none.
pub(super) struct NameServers(Result<Vec<Arc<NameServer>>, String>);

struct NameServer {
    /// For people.
    name: String,
    address: SocketAddr,
    resolver: TokioResolver,
}

impl NameServers {
    /// These servers, or the system's where there are none. A system configuration that can't be read is no reason to
    /// fail: the answer then says so.
    pub fn new(configured: &[SocketAddr]) -> Self {
        let system = read_system_conf().map_err(|error| error.to_string());
        let (domain, search, found) = match &system {
            Ok((config, _)) => config.clone().into_parts(),
            Err(_) => (None, Vec::new(), Vec::new()),
        };
        let servers = if configured.is_empty() { found } else { configured.iter().copied().map(server).collect() };
        let ndots = system.as_ref().map_or(1, |(_, options)| options.ndots);
        if servers.is_empty() {
            return Self(Err(system.err().unwrap_or_else(|| "none is configured".to_owned())));
        }
        let build = |server: NameServerConfig| {
            let (name, address) = (shown(&server), SocketAddr::new(server.ip, port(&server)));
            let config = ResolverConfig::from_parts(domain.clone(), search.clone(), vec![server]);
            let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_options(options(ndots))
                .build()
                .map_err(|error| error.to_string())?;
            Ok(Arc::new(NameServer { name, address, resolver }))
        };
        Self(servers.into_iter().take(MOST_SERVERS).map(build).collect())
    }

    /// Begins to ask every server for a name; where there is none, the reason is the only answer.
    pub fn ask(&self, host: &str) -> Vec<Server> {
        let servers = match &self.0 {
            Ok(servers) => servers,
            Err(text) => {
                let name = "name servers".to_owned();
                let none = Answer::none(&name, Some(Failure::NameServerFailed), text.clone());
                return vec![Server { name, asked: shared(std::future::ready(none)) }];
            }
        };
        let one = |server: &Arc<NameServer>| {
            let (server, host) = (Arc::clone(server), host.to_owned());
            Server { name: server.name.clone(), asked: shared(async move { server.ask(&host).await }) }
        };
        servers.iter().map(one).collect()
    }
}

/// The first answer of any server; where all fail, the failure that says most.
pub(super) fn first(servers: &[Server]) -> impl Future<Output = Answer> + Send + 'static {
    let mut asked: FuturesUnordered<_> = servers.iter().map(|server| server.asked.clone()).collect();
    async move {
        let mut failed: Option<Answer> = None;
        while let Some(answer) = asked.next().await {
            match &answer.addresses {
                Err(missing) if missing.failure == Some(Failure::NameServerFailed) => failed = Some(answer),
                Err(missing) if missing.failure == Some(Failure::NameServerSilent) => {
                    failed = Some(failed.unwrap_or(answer));
                }
                _ => return answer,
            }
        }
        failed.unwrap_or_else(|| Answer::none("name servers", Some(Failure::NameServerFailed), "none is configured"))
    }
}

impl NameServer {
    async fn ask(&self, host: &str) -> Answer {
        if let Err(error) = Name::from_utf8(host) {
            // What is no name at all can't be found either.
            return Answer::none(&self.name, Some(Failure::NameNotFound), format!("it can't be asked for: {error}"));
        }
        let (looked_up, refuses) = (pin!(timeout(MOST_TIME, self.look_up(host))), pin!(self.refuses(host)));
        let answer = match select(looked_up, refuses).await {
            Either::Left((answer, _)) => answer.unwrap_or(Err(NetError::Timeout)),
            Either::Right((code, _)) => Err(NetError::Dns(DnsError::ResponseCode(code))),
        };
        match answer {
            Ok(found) => Answer::found(&self.name, found.iter()).completed_to(completed(host, &found)),
            Err(error) => {
                let (failure, text) = explain(&error);
                Answer::none(&self.name, Some(failure), text)
            }
        }
    }

    /// Ends only where the server refuses without repeating the question.
    async fn refuses(&self, host: &str) -> ResponseCode {
        sleep(ASK_BARELY).await;
        match bare::refusal(self.address, host).await {
            Some(code) => code,
            None => pending().await,
        }
    }

    async fn look_up(&self, host: &str) -> Result<LookupIp, NetError> {
        let error = match self.resolver.lookup_ip(host).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        // The error is of the last name on the search list; for a dotted name the name itself says more.
        if error.is_nx_domain() && host.contains('.') && !host.ends_with('.') {
            return self.resolver.lookup_ip(format!("{host}.")).await;
        }
        Err(error)
    }
}

/// The full name that a search suffix made of a dotted one, which by itself does not exist.
fn completed(host: &str, found: &LookupIp) -> Option<String> {
    let asked = found.query().name().to_ascii();
    let asked = asked.trim_end_matches('.');
    let whole = host.contains('.') && !asked.eq_ignore_ascii_case(host.trim_end_matches('.'));
    whole.then(|| asked.to_owned())
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connection = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![connection(ConnectionConfig::udp()), connection(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

/// `name server 10.0.0.53`, with the port where it is not the usual one.
fn shown(server: &NameServerConfig) -> String {
    match port(server) {
        USUAL_PORT => format!("name server {}", server.ip),
        port => format!("name server {}", SocketAddr::new(server.ip, port)),
    }
}

fn port(server: &NameServerConfig) -> u16 {
    server.connections.first().map_or(USUAL_PORT, |connection| connection.port)
}

fn options(ndots: usize) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.ndots = ndots;
    options.timeout = TRY;
    options.attempts = MORE_TRIES;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // The hosts file is the system's way; this way shows what the servers say.
    options.use_hosts_file = ResolveHosts::Never;
    // As most systems ask by default; some old servers and firewalls trip over it.
    options.edns0 = false;
    // What is asked twice is asked to see whether the answer stays the same.
    options.cache_size = 0;
    options
}

/// A typed failure to the closed list, with words for people.
fn explain(error: &NetError) -> (Failure, String) {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code: ResponseCode::NXDomain, .. })) => {
            (Failure::NameNotFound, "there is no such name".to_owned())
        }
        NetError::Dns(DnsError::NoRecordsFound(_)) => (Failure::NameNoAddress, "the name has no address".to_owned()),
        NetError::Dns(DnsError::ResponseCode(code)) => (Failure::NameServerFailed, format!("it answered: {code}")),
        // Nothing was sent, or nothing came: it has said nothing.
        NetError::NoConnections => (Failure::NameServerSilent, "it can't be asked from here".to_owned()),
        NetError::Timeout | NetError::Io(_) => (Failure::NameServerSilent, format!("no answer: {error}")),
        _ => (Failure::NameServerFailed, error.to_string()),
    }
}
