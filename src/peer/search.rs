//! Finding the listener of a join code: directly or through a proxy, by any of its addresses, never past its certificate.
//!
//! The ways are begun one after the other, without waiting for those that hang; a proxy is asked once it is clear, or
//! likely, that no direct way leads there, since through a proxy the two sides know less of each other.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, sleep_until};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use super::join::JoinCode;
use super::listener::hex;
use super::message::PATH;
use super::speech::{Speech, bounds};
use crate::model::ask::{Ask, Proxy, Route, TlsExpectation, host_port};
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::{Probe, Websocket};
use crate::model::token::Token;
use crate::net::channel::{self, Security, Tunnel};
use crate::net::trace::Trace;
use crate::net::{Net, Stream};

/// How long a direct way to the listener may take, and one through a proxy, which has to find the way itself.
const ATTEMPT: Duration = Duration::from_secs(5);
const ATTEMPT_BY_PROXY: Duration = Duration::from_secs(10);
/// How long it may take where something has accepted the connection: a listener with a crowd before it takes its time.
const ACCEPTED: Duration = Duration::from_secs(20);
/// How much later than the one before each way is begun, where that one has not failed by then.
const HEAD_START: Duration = Duration::from_millis(500);
/// That of the first way, by which the flows go: long enough for a connection request to be repeated once, as where a
/// neighbour of IPv6 is not known yet.
const FIRST_WAY: Duration = Duration::from_millis(1500);
/// How much later than the direct ways those through a proxy are.
const PROXY_BEHIND: Duration = Duration::from_secs(2);
/// How often, and for how long at most, a listener without a place or too busy to answer is asked again.
const ROUNDS: u64 = 8;
const TRYING: Duration = Duration::from_secs(40);

/// How the listener may be looked for.
pub struct Search<'a> {
    pub code: &'a JoinCode,
    /// Tried where no direct way leads there.
    pub proxies: Vec<Proxy>,
    pub source: Option<IpAddr>,
    pub net: &'a Net,
}

/// The way that led to the listener.
pub(super) struct Found {
    pub speech: Speech<Stream>,
    pub listener: SocketAddr,
    pub host: String,
    pub port: u16,
    pub through_proxy: bool,
}

/// Why no way led there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// What happened on each way, in their order.
    pub ways: Vec<String>,
    /// Something on a way presented a certificate of its own.
    pub intercepted: bool,
}

/// One way that did not lead to the listener.
struct DeadEnd {
    why: String,
    intercepted: bool,
    /// Something closed the connection that it had accepted, as a listener does that has no place for more strangers.
    busy: bool,
}

/// One way to try.
struct Way {
    host: String,
    port: u16,
    route: Route,
    /// Since the search began.
    begins: Duration,
}

impl Search<'_> {
    /// Tries every way; again where the listener has no place for a stranger at the moment.
    pub(super) async fn reach(&self) -> Result<Found, Missed> {
        let (began, mut round) = (Instant::now(), 0);
        loop {
            let dead_ends = match self.race().await {
                Ok(found) => return Ok(found),
                Err(dead_ends) => dead_ends,
            };
            round += 1;
            if round == ROUNDS || began.elapsed() > TRYING || !dead_ends.iter().any(|end| end.busy) {
                let intercepted = dead_ends.iter().any(|end| end.intercepted);
                return Err(Missed { ways: dead_ends.into_iter().map(|end| end.why).collect(), intercepted });
            }
            // Many that join at once must not come back at once.
            let spread = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) * 4;
            sleep(Duration::from_millis(200 * round + spread)).await;
        }
    }

    /// Begins the ways in their order until one leads there.
    async fn race(&self) -> Result<Found, Vec<DeadEnd>> {
        let ways = self.ways();
        let (mut under_way, mut ends) = (FuturesUnordered::new(), Vec::new());
        let (began, mut next) = (tokio::time::Instant::now(), 0);
        loop {
            if under_way.is_empty() || ways.get(next).is_some_and(|way| began.elapsed() >= way.begins) {
                let Some(way) = ways.get(next) else { break };
                under_way.push(async move { (next, self.open(way).await) });
                next += 1;
            }
            let more = ways.get(next).map(|way| began + way.begins);
            tokio::select! {
                Some((number, end)) = under_way.next() => match end {
                    Ok(found) => return Ok(found),
                    Err(dead_end) => ends.push((number, dead_end)),
                },
                () = sleep_until(more.unwrap_or(began)), if more.is_some() => {}
            }
        }
        ends.sort_by_key(|(number, _)| *number);
        Err(ends.into_iter().map(|(_, end)| end).collect())
    }

    fn ways(&self) -> Vec<Way> {
        let places = || self.code.hosts.iter().flat_map(|host| self.code.ports().map(move |port| (host.clone(), port)));
        let direct = places().map(|place| (place, Route::Direct, Duration::ZERO));
        let proxied = self
            .proxies
            .iter()
            .flat_map(|proxy| places().map(move |place| (place, Route::Proxy(proxy.clone()), PROXY_BEHIND)));
        let begins = |number: usize| {
            let first = if number == 0 { Duration::ZERO } else { FIRST_WAY };
            first + HEAD_START * u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX)
        };
        let ways = direct.chain(proxied).enumerate();
        ways.map(|(number, ((host, port), route, behind))| Way { host, port, route, begins: begins(number) + behind })
            .collect()
    }

    /// One way: connect, TLS with the pinned certificate, and the upgrade.
    async fn open(&self, way: &Way) -> Result<Found, DeadEnd> {
        let ask = self.ask(way);
        let trace = Trace::new(Instant::now());
        let limit = if way.through_proxy() { ATTEMPT_BY_PROXY } else { ATTEMPT };
        let too_late = async {
            sleep(limit).await;
            let so_far = trace.so_far(Failure::TimedOut);
            if so_far.steps.iter().any(|step| step.kind == StepKind::Connect && step.error.is_none()) {
                sleep(ACCEPTED.saturating_sub(limit)).await;
            }
        };
        let opened = tokio::select! {
            opened = self.dial(&ask, &trace) => opened,
            () = too_late => None,
        };
        let evidence = trace.finish(Failure::TimedOut);
        match opened {
            Some((speech, listener)) => {
                let (host, port) = (way.host.clone(), way.port);
                Ok(Found { speech, listener, host, port, through_proxy: way.through_proxy() })
            }
            None => Err(self.dead_end(&ask, &evidence)),
        }
    }

    async fn dial(&self, ask: &Ask, trace: &Trace) -> Option<(Speech<Stream>, SocketAddr)> {
        let (hop, port) = ask.first_hop();
        for ip in self.net.resolver.resolve(hop, trace).await.ok()? {
            let address = SocketAddr::new(ip, port);
            let Ok(stream) = channel::open(ask, address, Security::Tls, Tunnel::Always, self.net, trace).await else {
                continue;
            };
            let request = request(ask)?;
            let (socket, _) = client_async_with_config(request, stream, Some(bounds())).await.ok()?;
            return Some((Speech::of(socket), address));
        }
        None
    }

    fn ask(&self, way: &Way) -> Ask {
        let fingerprint = Some(hex(&self.code.fingerprint));
        Ask {
            probe: Probe::Websocket(Websocket {
                https: Some(true),
                path: Some(PATH.to_owned()),
                ..Websocket::default()
            }),
            host: way.host.clone(),
            port: way.port,
            route: way.route.clone(),
            tls: TlsExpectation { fingerprint, ..TlsExpectation::default() },
            token: Token::random(),
            source: self.source,
            // What is said of a way that loses large packets must not be lost on it.
            largest_segment: Some(Ask::SMALLEST_SEGMENT),
        }
    }

    fn dead_end(&self, ask: &Ask, evidence: &Evidence) -> DeadEnd {
        let through = ask.proxy().map(|proxy| format!(" through the proxy {}", host_port(&proxy.host, proxy.port)));
        let place = format!("{}{}", ask.target(), through.unwrap_or_default());
        let Some((kind, failure)) = evidence.stopped_at().and_then(|step| Some((step.kind, step.error?))) else {
            let why = format!("{place}: what answered there is not the listener, or the listener has no place free");
            return DeadEnd { why, intercepted: false, busy: true };
        };
        DeadEnd {
            why: format!("{place}: {}", self.why(kind, failure, evidence)),
            intercepted: failure == Failure::TlsIntercepted,
            busy: kind == StepKind::Tls && matches!(failure, Failure::Closed | Failure::Reset | Failure::TimedOut),
        }
    }

    fn why(&self, kind: StepKind, failure: Failure, evidence: &Evidence) -> String {
        let text = |fact: Fact| evidence.facts.get(fact.word()).and_then(|value| value.as_str());
        let number = |fact: Fact| evidence.facts.get(fact.word()).and_then(serde_json::Value::as_u64);
        match (kind, failure) {
            (StepKind::Resolve, _) => "the name was not resolved".to_owned(),
            (StepKind::Proxy, _) => match number(Fact::ProxyStatus) {
                Some(407) => "the proxy wants a user and a password (407)".to_owned(),
                Some(403) => "the proxy does not allow it (403); many allow port 443 only".to_owned(),
                Some(status) => format!("the proxy answered {status}"),
                None => "the proxy did not answer".to_owned(),
            },
            (StepKind::Tls, Failure::TlsIntercepted) => format!(
                "refused, for the certificate that came ({}…) is not the listener's ({}…)",
                text(Fact::TlsFingerprint).and_then(|shown| shown.get(..16)).unwrap_or("?"),
                hex(&self.code.fingerprint[..8]),
            ),
            (StepKind::Tls, Failure::NotTls) => "what answers there does not speak TLS".to_owned(),
            (StepKind::Tls, _) => "accepted, and closed before TLS was agreed".to_owned(),
            (_, Failure::TimedOut) => "no answer".to_owned(),
            (_, Failure::Refused) => "refused".to_owned(),
            (_, Failure::Closed | Failure::Reset) => "closed".to_owned(),
            (_, Failure::Denied) => "this machine's own firewall forbids it".to_owned(),
            _ => "not reachable".to_owned(),
        }
    }
}

impl Way {
    fn through_proxy(&self) -> bool {
        self.route != Route::Direct
    }
}

fn request(ask: &Ask) -> Option<Request> {
    format!("wss://{}{PATH}", ask.target()).into_client_request().ok()
}
