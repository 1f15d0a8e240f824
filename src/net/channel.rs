//! What an HTTP conversation runs over: TCP, a tunnel where a proxy must be tunnelled through, and TLS.

pub mod clock;
pub mod hello;

use std::net::SocketAddr;
use std::time::Duration;

use super::tls::{PlatformOpinion, Shaken};
use super::trace::Trace;
use super::{Net, Stopped, Stream, proxy, tcp, tls};
use crate::model::ask::{Ask, Route};
use crate::model::evidence::Failure;
use crate::model::fact::Fact;

/// Whether the conversation is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    Plain,
    Tls,
}

/// When a proxy is asked for a tunnel rather than for the page itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// Plain HTTP: the proxy is sent the request in absolute form.
    WhenEncrypted,
    /// WebSocket: always (RFC 6455 4.1).
    Always,
}

/// How long the second opinion may take.
const OPINION: Duration = Duration::from_secs(2);

/// Opens the stream on which the request is then sent. `address` is the first hop's: the proxy's where there is one.
///
/// Where rustls and the server have no version in common, or the trust stores doubt the certificate, the platform's own
/// TLS library is asked over a second connection ([`tls::platform_opinion`]). What it accepts of the certificate, the
/// product's client accepts too: the conversation goes on.
///
/// # Errors
/// [`Stopped`] where any part can't be opened; the steps hold the reason.
pub async fn open(
    ask: &Ask,
    address: SocketAddr,
    security: Security,
    tunnel: Tunnel,
    net: &Net,
    trace: &Trace,
) -> Result<Stream, Stopped> {
    let stream = dial(ask, address, security, tunnel, net, trace).await?;
    if security == Security::Plain {
        return Ok(stream);
    }
    let second = Second { ask, address, tunnel, net };
    match tls::shake(stream, name(ask), &ask.tls, &[b"http/1.1"], trace).await {
        Shaken::Agreed(stream) => Ok(stream),
        Shaken::Doubted(doubt) => {
            let opinion = second.opinion(trace).await;
            doubt.settle(&opinion).await
        }
        Shaken::Failed(failure) => {
            if failure == Failure::TlsVersion {
                second.opinion(trace).await;
            }
            Err(Stopped)
        }
    }
}

/// The connection up to where TLS or the request begins.
async fn dial(
    ask: &Ask,
    address: SocketAddr,
    security: Security,
    tunnel: Tunnel,
    net: &Net,
    trace: &Trace,
) -> Result<Stream, Stopped> {
    let stream: Stream = Box::new(tcp::connect(address, ask, trace).await?);
    match &ask.route {
        Route::Proxy(through) if security == Security::Tls || tunnel == Tunnel::Always => {
            proxy::tunnel(stream, through, ask, address, net, trace).await
        }
        _ => Ok(stream),
    }
}

fn name(ask: &Ask) -> &str {
    ask.tls.name.as_deref().unwrap_or(&ask.host)
}

/// What a second connection needs.
struct Second<'a> {
    ask: &'a Ask,
    address: SocketAddr,
    tunnel: Tunnel,
    net: &'a Net,
}

impl Second<'_> {
    /// Asks the platform's own library, for a bounded time. Its steps are not part of the conversation and not recorded.
    async fn opinion(&self, trace: &Trace) -> PlatformOpinion {
        let aside = trace.fork();
        let asked = async {
            match dial(self.ask, self.address, Security::Tls, self.tunnel, self.net, &aside).await {
                Ok(stream) => tls::platform_opinion(stream, name(self.ask), &self.ask.tls).await,
                Err(Stopped) => PlatformOpinion::Unreachable,
            }
        };
        let opinion = tokio::time::timeout(OPINION, asked).await.unwrap_or(PlatformOpinion::Unreachable);
        trace.fact(Fact::TlsPlatform, opinion.line());
        opinion
    }
}
