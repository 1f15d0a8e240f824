//! Showing the other side from which addresses this one's probes come: a word that it was told on the control channel is said
//! on the very ports and ways of the flows, since address translation and proxies may treat each differently.
//!
//! Whoever hears it closes without an answer. Whether it was heard, only the other side knows. Where nothing can be said, as
//! no connection opens, this side knocks: it asks for several at once, and tells from which ports.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::{sleep, timeout};

use super::channel::{self, Security, Tunnel};
use super::http::{Conversation, Outgoing};
use super::trace::Trace;
use super::{Net, Stream, proxy, tcp};
use crate::model::ask::{Ask, Route};
use crate::model::flow::Transport;
use crate::model::knock::Knock;
use crate::model::probe::Probe;
use crate::model::token::Token;

/// How long one place may take. What has not come by then does not come, or too late to be of use.
const TIME: Duration = Duration::from_secs(2);
/// The pause between two datagrams.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a port is knocked on: enough that nobody else does the same by chance.
const KNOCKS: usize = 4;

/// Where to say it: as the flow was asked, over the address that answered.
#[derive(Debug, Clone)]
pub struct Place {
    pub ask: Ask,
    /// The first hop's.
    pub address: SocketAddr,
}

/// Says the word at some places and knocks at others, all at once; the knocks. Datagrams with the word are knocks too.
pub async fn say(word: &str, places: &[Place], knock_at: &[Place], net: &Net) -> Vec<Knock> {
    let text = [Token::INTRODUCTION, word].concat();
    let (by_words, by_datagrams): (Vec<&Place>, Vec<&Place>) =
        places.iter().partition(|place| place.transport() == Transport::Tcp);
    let words = join_all(by_words.iter().map(|place| timeout(TIME, place.say(&text, net))));
    let datagrams = join_all(by_datagrams.iter().map(|place| place.knock(text.as_bytes())));
    let knocks = join_all(once_each(knock_at).into_iter().map(|place| place.knock(b"")));
    let (_, datagrams, knocks) = tokio::join!(words, datagrams, knocks);
    Knock::together(datagrams.into_iter().chain(knocks).collect())
}

/// Several flows may go to one port; it is knocked on once.
fn once_each(places: &[Place]) -> Vec<&Place> {
    let mut each: Vec<&Place> = Vec::new();
    for place in places {
        let same = |one: &&Place| (one.transport(), one.address) == (place.transport(), place.address);
        if !each.iter().any(same) {
            each.push(place);
        }
    }
    each
}

impl Place {
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.ask.probe.protocol().transport()
    }

    /// Failures need no name: the flow itself was judged before.
    async fn say(&self, text: &str, net: &Net) -> Option<()> {
        let trace = Trace::new(Instant::now());
        let (web, https) = match &self.ask.probe {
            Probe::Http(http) => (true, http.https == Some(true)),
            Probe::Websocket(websocket) => (true, websocket.https == Some(true)),
            _ => (false, false),
        };
        if web && !https {
            return self.by_request(text, net, &trace).await;
        }
        // Inside TLS it would need a certificate that is trusted; the responder looks at what comes in its place.
        let stream: Stream = if self.ask.route == Route::Direct {
            Box::new(tcp::connect(self.address, &self.ask, &trace).await.ok()?)
        } else {
            channel::open(&self.ask, self.address, Security::Plain, Tunnel::Always, net, &trace).await.ok()?
        };
        by_stream(stream, text).await.ok()
    }

    /// As a header of a request that devices on the way pass on as they pass the flow's own.
    async fn by_request(&self, text: &str, net: &Net, trace: &Trace) -> Option<()> {
        let websocket = matches!(self.ask.probe, Probe::Websocket(_));
        let tunnel = if websocket { Tunnel::Always } else { Tunnel::WhenEncrypted };
        let forwarded = self.ask.route != Route::Direct && !websocket;
        let target = self.ask.target();
        let uri: Uri = if forwarded { format!("http://{target}/") } else { "/".to_owned() }.parse().ok()?;
        let stream = channel::open(&self.ask, self.address, Security::Plain, tunnel, net, trace).await.ok()?;
        let (mut line, authorization) = if forwarded {
            proxy::authenticate(stream, (&Method::GET, &uri), &self.ask, self.address, net, trace).await.ok()?
        } else {
            (Conversation::open(stream, trace).await.ok()?, None)
        };
        let mut request = Request::new(Outgoing::nothing());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&target).ok()?);
        headers.insert("x-bothways", HeaderValue::from_str(text).ok()?);
        if let Some(authorization) = authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        line.ask(request).await.ok().map(drop)
    }

    /// Asks several times, each time from another port. A connection that opens all the same is closed again.
    async fn knock(&self, datagram: &[u8]) -> Knock {
        let transport = self.transport();
        let from = match transport {
            Transport::Tcp => self.by_connections().await,
            Transport::Udp => self.by_datagrams(datagram).await,
        };
        Knock { transport, port: self.address.port(), over_v6: self.address.is_ipv6(), from }
    }

    /// Where to speak from: any port of the address that the flow speaks from.
    fn source(&self) -> SocketAddr {
        let any: IpAddr = if self.address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        SocketAddr::new(self.ask.source.filter(|source| source.is_ipv4() == any.is_ipv4()).unwrap_or(any), 0)
    }

    async fn by_connections(&self) -> Vec<u16> {
        let socket = |_| {
            let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.ok()?;
            socket.bind(self.source()).ok()?;
            Some((socket.local_addr().ok()?.port(), socket))
        };
        let (ports, sockets): (Vec<u16>, Vec<TcpSocket>) = (0..KNOCKS).filter_map(socket).unzip();
        join_all(sockets.into_iter().map(|socket| timeout(TIME, socket.connect(self.address)))).await;
        ports
    }

    async fn by_datagrams(&self, datagram: &[u8]) -> Vec<u16> {
        let mut ports = Vec::new();
        for _ in 0..KNOCKS {
            let Ok(socket) = UdpSocket::bind(self.source()).await else { continue };
            let sent = socket.send_to(datagram, self.address).await;
            ports.extend(socket.local_addr().ok().filter(|_| sent.is_ok()).map(|local| local.port()));
            sleep(PAUSE).await;
        }
        ports
    }
}

async fn by_stream(mut stream: Stream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    // It is heard once the other side closes.
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
