//! Whether a server that asked for a certificate goes on without one.
//!
//! In TLS 1.2 the handshake itself tells. In TLS 1.3 (RFC 8446 4.4.2.4) the server's alert comes after this side already
//! holds the handshake for complete; a server that goes on usually sends a session ticket first.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_rustls::client::TlsStream;

/// A server that sends neither tickets nor an alert goes on: nothing in the protocol would say so sooner.
const PATIENCE: Duration = Duration::from_millis(500);

/// Waits until the server shows whether it goes on, for a bounded time.
///
/// # Errors
/// The alert, reset or close with which the server ended the connection.
pub(super) async fn outcome<S: AsyncRead + Unpin>(tls: &mut TlsStream<S>) -> io::Result<()> {
    if tls.get_ref().1.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    let word = poll_fn(|cx| hear(tls, cx));
    tokio::time::timeout(PATIENCE, word).await.unwrap_or(Ok(()))
}

/// Reads until a ticket or data shows that the server goes on; data stays in the connection for whoever reads next.
fn hear<S: AsyncRead + Unpin>(tls: &mut TlsStream<S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let (stream, connection) = tls.get_mut();
    while connection.wants_read() && connection.tls13_tickets_received() == 0 {
        let mut chunk = [0; 4096];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        let mut bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        while !bytes.is_empty() {
            connection.read_tls(&mut bytes)?;
            let state =
                connection.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if state.peer_has_closed() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
    Poll::Ready(Ok(()))
}
