//! A connection whose bytes are charged to the peer that it belongs to.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Limits;
use super::peers::Account;
use crate::net::count;

/// A TCP connection that breaks once its peer has used up what it may ([`Limits::bytes_per_peer`]).
pub(super) struct Metered {
    stream: TcpStream,
    /// Nothing for a stranger, whose bytes are bounded elsewhere.
    account: Option<Arc<Account>>,
    limits: Limits,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, account: Option<Arc<Account>>, limits: Limits) -> Self {
        // Without it small answers wait for acknowledgements; a socket that can't is still usable.
        let _ = stream.set_nodelay(true);
        Self { stream, account, limits }
    }

    /// Waits for bytes and leaves them where they are.
    pub(super) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.peek(buffer).await
    }

    /// Bytes that were sent and have come; nothing where the system does not tell.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        count::acknowledged(&self.stream)
    }

    fn within(&self) -> io::Result<()> {
        match &self.account {
            Some(account) if account.used_up(&self.limits) => Err(io::ErrorKind::QuotaExceeded.into()),
            _ => Ok(()),
        }
    }

    fn spend(&self, bytes: usize) {
        if let Some(account) = &self.account {
            account.spend(bytes);
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.within()?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.spend(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.within()?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.spend(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
