//! What time it is for the host whose certificate is out of its dates here: the `Date` of its HTTP answers, over TLS that
//! nobody trusts, and in plain on port 80.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::{DATE, HOST, USER_AGENT};
use hyper::{Method, Request};
use jiff::Timestamp;
use tokio::time::timeout;

use super::{Security, Tunnel, open};
use crate::model::ask::{Ask, TlsExpectation, Trust};
use crate::model::fact::Fact;
use crate::net::http::{Conversation, Outgoing};
use crate::net::proxy::USER_AGENT_NAME;
use crate::net::trace::Trace;
use crate::net::{Net, Stream};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Publishes the host's time and how far this machine's clock is from it, where the host tells.
pub async fn compare(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) {
    let (secure, plain) = tokio::join!(secure(ask, address, net, trace), plain(ask, address, net, trace));
    if let Some((there, here)) = secure.or(plain) {
        trace.fact(Fact::HostTime, there.to_string());
        trace.fact(Fact::ClockAhead, here.as_second() - there.as_second());
    }
}

async fn secure(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) -> Option<(Timestamp, Timestamp)> {
    let anyone = TlsExpectation { trust: Trust::Anyone, name: ask.tls.name.clone(), ..TlsExpectation::default() };
    let ask = Ask { tls: anyone, ..ask.clone() };
    asked(&ask, address, Security::Tls, net, trace).await
}

async fn plain(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) -> Option<(Timestamp, Timestamp)> {
    if ask.proxy().is_some() {
        return None;
    }
    let ask = Ask { port: 80, ..ask.clone() };
    asked(&ask, SocketAddr::new(address.ip(), 80), Security::Plain, net, trace).await
}

/// The host's time, and this machine's when it came.
async fn asked(
    ask: &Ask,
    address: SocketAddr,
    security: Security,
    net: &Net,
    trace: &Trace,
) -> Option<(Timestamp, Timestamp)> {
    let aside = trace.fork();
    let asking = async {
        let stream = open(ask, address, security, Tunnel::WhenEncrypted, net, &aside).await.ok()?;
        date(stream, &ask.target(), &aside).await
    };
    timeout(PATIENCE, asking).await.ok().flatten()
}

async fn date(stream: Stream, host: &str, trace: &Trace) -> Option<(Timestamp, Timestamp)> {
    let mut line = Conversation::open(stream, trace).await.ok()?;
    let request = Request::builder()
        .method(Method::HEAD)
        .uri("/")
        .header(HOST, host)
        .header(USER_AGENT, USER_AGENT_NAME)
        .body(Outgoing::nothing())
        .ok()?;
    let answer = line.ask(request).await.ok()?;
    let here = Timestamp::now();
    let there = jiff::fmt::rfc2822::parse(answer.headers().get(DATE)?.to_str().ok()?).ok()?.timestamp();
    Some((there, here))
}
