//! What an HTTP conversation runs over: TCP, a tunnel where a proxy must be tunnelled through, and TLS.

use std::net::SocketAddr;

use super::trace::Trace;
use super::{Net, Stopped, Stream, proxy, tcp, tls};
use crate::model::ask::{Ask, Route};

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

/// Opens the stream on which the request is then sent. `address` is the first hop's: the proxy's where there is one.
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
    let mut stream: Stream = Box::new(tcp::connect(address, ask.source, trace).await?);
    if let Route::Proxy(through) = &ask.route
        && (security == Security::Tls || tunnel == Tunnel::Always)
    {
        stream = proxy::tunnel(stream, through, ask, address, net, trace).await?;
    }
    if security == Security::Plain {
        return Ok(stream);
    }
    let name = ask.tls.name.as_deref().unwrap_or(&ask.host);
    tls::handshake(stream, name, &ask.tls, &[b"http/1.1"], trace).await
}
