//! The joining end of the control channel: finds the listener of a join code, directly or through a proxy, and asks it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use super::join::JoinCode;
use super::listener::hex;
use super::message::{FromJoiner, FromListener, Hello, PATH, Welcome};
use super::speech::{Broken, Speech, bounds};
use crate::model::ask::{Ask, Proxy, Route, TlsExpectation, host_port};
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::probe::{Probe, Websocket};
use crate::model::run::Outcome;
use crate::model::sighting::{Answering, Sightings};
use crate::model::token::Token;
use crate::net::channel::{self, Security, Tunnel};
use crate::net::trace::Trace;
use crate::net::{Net, Stream};

/// How long one way to the listener may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long an answer may take to come over a slow channel.
const ANSWER: Duration = Duration::from_secs(15);
/// How long leaving may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// How often a listener without a place is asked again.
const ROUNDS: u64 = 8;

/// A channel to a listener that has let us in.
pub struct Channel {
    speech: Speech<Stream>,
    pub welcome: Welcome,
    /// Where the listener was found.
    pub listener: SocketAddr,
    /// The host of the join code that was used.
    pub host: String,
    /// The addresses that the join code names: the listener's probes may come from any of them.
    pub listener_addresses: Vec<IpAddr>,
    pub through_proxy: bool,
}

/// Why a listener could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum CantJoin {
    #[error("the join code has expired; let the other side start `bothways listen` again")]
    Expired,
    #[error("the listener was not reached: {0}")]
    Unreached(String),
    #[error("it said nothing more in the time given")]
    Silent,
    #[error("the listener refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// How the listener may be looked for.
pub struct Search<'a> {
    pub code: &'a JoinCode,
    /// Tried where the direct way does not work.
    pub proxy: Option<Proxy>,
    pub source: Option<IpAddr>,
    pub net: &'a Net,
}

impl Search<'_> {
    /// Finds the listener and joins it. `hello` is filled in with the token and the way.
    ///
    /// # Errors
    /// [`CantJoin`], with every way that was tried.
    pub async fn join(&self, mut hello: Hello) -> Result<Channel, CantJoin> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // A clock that is a little ahead must not shut anybody out: the listener decides by its own.
        if now > self.code.expires.saturating_add(86_400) {
            return Err(CantJoin::Expired);
        }
        hello.token = hex(&self.code.token);
        let (mut speech, listener, host, through_proxy) = self.reach().await?;
        hello.through_proxy = through_proxy;
        speech.say(&FromJoiner::Hello(hello)).await?;
        match timeout(ATTEMPT, speech.hear()).await {
            Ok(Ok(FromListener::Welcome(welcome))) => {
                let listener_addresses = self.code.hosts.iter().filter_map(|host| host.parse().ok()).collect();
                Ok(Channel { speech, welcome, listener, host, listener_addresses, through_proxy })
            }
            Ok(Ok(FromListener::Refused { why })) => Err(CantJoin::Refused(why)),
            Ok(Ok(_)) => Err(CantJoin::Refused("it answered out of turn".to_owned())),
            Ok(Err(broken)) => Err(broken.into()),
            Err(_) => Err(CantJoin::Unreached("it accepted the channel and then said nothing".to_owned())),
        }
    }

    /// Tries every way; again where the listener has no place for a stranger at the moment.
    async fn reach(&self) -> Result<(Speech<Stream>, SocketAddr, String, bool), CantJoin> {
        let mut tried = Vec::new();
        for round in 0..ROUNDS {
            if round > 0 {
                // Many that join at once must not come back at once.
                let spread = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) * 4;
                tokio::time::sleep(Duration::from_millis(200 * round + spread)).await;
            }
            tried.clear();
            let mut busy = false;
            for (host, route) in self.ways() {
                let through_proxy = route != Route::Direct;
                let way = if through_proxy { " through the proxy" } else { "" };
                match self.open(&host, route).await {
                    Ok((speech, address)) => return Ok((speech, address, host, through_proxy)),
                    Err(missed) => {
                        busy |= missed.busy;
                        tried.push(format!("{}{way}: {}", host_port(&host, self.code.port), missed.why));
                    }
                }
            }
            if !busy {
                break;
            }
        }
        Err(CantJoin::Unreached(tried.join("; ")))
    }

    fn ways(&self) -> Vec<(String, Route)> {
        let hosts = &self.code.hosts;
        let direct = hosts.iter().map(|host| (host.clone(), Route::Direct));
        let proxied = self
            .proxy
            .iter()
            .flat_map(|proxy| hosts.iter().map(move |host| (host.clone(), Route::Proxy(proxy.clone()))));
        direct.chain(proxied).collect()
    }

    /// One way: connect, TLS with the pinned certificate, and the upgrade.
    async fn open(&self, host: &str, route: Route) -> Result<(Speech<Stream>, SocketAddr), Missed> {
        let ask = self.ask(host, route);
        let trace = Trace::new(Instant::now());
        let opened = timeout(ATTEMPT, self.dial(&ask, &trace)).await;
        let evidence = trace.finish(Failure::TimedOut);
        match opened {
            Ok(Some(found)) => Ok(found),
            _ => Err(missed(&evidence)),
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

    fn ask(&self, host: &str, route: Route) -> Ask {
        let fingerprint = Some(hex(&self.code.fingerprint));
        Ask {
            probe: Probe::Websocket(Websocket {
                https: Some(true),
                path: Some(PATH.to_owned()),
                ..Websocket::default()
            }),
            host: host.to_owned(),
            port: self.code.port,
            route,
            tls: TlsExpectation { fingerprint, ..TlsExpectation::default() },
            token: Token::random(),
            source: self.source,
            // What is said of a way that loses large packets must not be lost on it.
            largest_segment: Some(Ask::SMALLEST_SEGMENT),
        }
    }
}

fn request(ask: &Ask) -> Option<Request> {
    format!("wss://{}{PATH}", ask.target()).into_client_request().ok()
}

/// One way that did not lead to the listener.
struct Missed {
    why: String,
    /// Something closed the connection that it had accepted, as a listener does that has no place for more strangers.
    busy: bool,
}

fn missed(evidence: &Evidence) -> Missed {
    match evidence.stopped_at().and_then(|step| Some((step.kind, step.error?))) {
        Some((kind, failure)) => Missed {
            why: format!("{kind:?} {failure:?}").to_lowercase(),
            busy: kind == StepKind::Tls && matches!(failure, Failure::Closed | Failure::Reset),
        },
        None => Missed { why: "what answered there is not the listener, or has no place".to_owned(), busy: true },
    }
}

impl Channel {
    /// Asks the other side to run its own flows, and waits for what they gave: as long as its run may last, and a little more.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn test(
        &mut self,
        answers: Vec<Answering>,
        certificate: String,
        run: Duration,
    ) -> Result<Vec<Outcome>, CantJoin> {
        self.speech.say(&FromJoiner::Test { answers, certificate }).await?;
        match self.hear(run + ANSWER).await? {
            FromListener::Tested { outcomes } => Ok(outcomes),
            FromListener::Refused { why } => Err(CantJoin::Refused(why)),
            _ => Err(CantJoin::Refused("it answered out of turn".to_owned())),
        }
    }

    /// Asks what the other side saw of this one.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn what_did_you_see(&mut self) -> Result<Sightings, CantJoin> {
        self.speech.say(&FromJoiner::WhatDidYouSee).await?;
        match self.hear(ANSWER).await? {
            FromListener::Saw(sightings) => Ok(sightings),
            FromListener::Refused { why } => Err(CantJoin::Refused(why)),
            _ => Err(CantJoin::Refused("it answered out of turn".to_owned())),
        }
    }

    async fn hear(&mut self, within: Duration) -> Result<FromListener, CantJoin> {
        Ok(timeout(within, self.speech.hear()).await.map_err(|_| CantJoin::Silent)??)
    }

    /// Leaves.
    pub async fn bye(mut self) {
        let goodbye = async {
            let _ = self.speech.say(&FromJoiner::Bye).await;
            self.speech.close().await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}
