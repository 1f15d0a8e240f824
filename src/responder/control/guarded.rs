//! A stranger's connection: few bytes are read from it, and none is written before its request was granted.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::Peers;

/// A stream with a guard before it.
pub(super) struct Guarded<S> {
    stream: S,
    granted: Arc<AtomicBool>,
    /// Whether the bytes to read have been counted anew since the request was granted.
    anew: bool,
    most: usize,
    left: usize,
    peers: Peers,
    from: IpAddr,
}

/// Grants the request on a [`Guarded`] stream.
pub(super) struct Pass(Arc<AtomicBool>);

impl Pass {
    pub(super) fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<S> Guarded<S> {
    /// Reads `most` bytes of a request, and `most` again after it, until `from` is among the peers.
    pub(super) fn new(stream: S, most: usize, peers: Peers, from: IpAddr) -> (Self, Pass) {
        let granted = Arc::<AtomicBool>::default();
        let pass = Pass(Arc::clone(&granted));
        (Self { stream, granted, anew: false, most, left: most, peers, from }, pass)
    }

    fn granted(&self) -> bool {
        self.granted.load(Ordering::Relaxed)
    }

    /// How many bytes may be read now; nothing where it does not matter any more.
    fn room(&mut self) -> Option<usize> {
        if self.granted() {
            if self.peers.include(self.from) {
                return None;
            }
            if !self.anew {
                (self.anew, self.left) = (true, self.most);
            }
        }
        Some(self.left)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(room) = self.room() else { return Pin::new(&mut self.stream).poll_read(cx, buf) };
        if room == 0 {
            return Poll::Ready(Err(io::ErrorKind::QuotaExceeded.into()));
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room.min(buf.remaining())));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let length = part.filled().len();
        buf.advance(length);
        self.left -= length;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.granted() {
            return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.granted() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.granted() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
