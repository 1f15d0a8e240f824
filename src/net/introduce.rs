//! Showing the other side from which addresses this one's probes come: a word that it was told on the control channel is said
//! on the very ports and ways of the flows, since address translation and proxies may treat each differently.
//!
//! Whoever hears it closes without an answer. Whether it was heard, only the other side knows.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::channel::{self, Security, Tunnel};
use super::http::{Conversation, Outgoing};
use super::trace::Trace;
use super::{Net, Stream, proxy, tcp};
use crate::model::ask::{Ask, Route};
use crate::model::flow::Transport;
use crate::model::probe::Probe;
use crate::model::token::Token;

/// How long one place may take. What has not come by then does not come, or too late to be of use.
const TIME: Duration = Duration::from_secs(2);
/// How often a datagram is sent, and the pause between two.
const DATAGRAMS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Where to say it: as the flow was asked, over the address that answered.
#[derive(Debug, Clone)]
pub struct Place {
    pub ask: Ask,
    /// The first hop's.
    pub address: SocketAddr,
}

/// Says the word at all of these places at once.
pub async fn say(word: &str, places: &[Place], net: &Net) {
    let text = [Token::INTRODUCTION, word].concat();
    join_all(places.iter().map(|place| timeout(TIME, place.say(&text, net)))).await;
}

impl Place {
    /// Failures need no name: the flow itself was judged before.
    async fn say(&self, text: &str, net: &Net) -> Option<()> {
        let trace = Trace::new(Instant::now());
        if self.ask.probe.protocol().transport() == Transport::Udp {
            return self.by_datagrams(text).await.ok();
        }
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

    async fn by_datagrams(&self, text: &str) -> std::io::Result<()> {
        let any: std::net::IpAddr = if self.address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind((self.ask.source.unwrap_or(any), 0)).await?;
        for _ in 0..DATAGRAMS {
            // An ICMP message about the one before is told here; the next may pass all the same.
            let _ = socket.send_to(text.as_bytes(), self.address).await;
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

async fn by_stream(mut stream: Stream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    // It is heard once the other side closes.
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
