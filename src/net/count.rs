//! Counts the bytes of a stream each way, below everything else that runs over it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::sys::{self, Delivery};

/// The bytes of an accepted connection that the far side's system has acknowledged; nothing where this system does not tell.
#[must_use]
pub fn acknowledged(stream: &TcpStream) -> Option<u64> {
    // Only whoever opens a connection has its request counted among the bytes; where it is, one too many tells no loss.
    sys::delivery(stream).map(|delivery| delivery.acknowledged + 1)
}

/// Bytes sent and received.
#[derive(Debug, Default)]
pub struct Counter {
    sent: AtomicU64,
    received: AtomicU64,
    line: Mutex<Line>,
    moved: Mutex<Option<Moved>>,
}

/// When the conversation was last seen to have come further.
#[derive(Debug, Clone, Copy)]
struct Moved {
    at: Instant,
    /// Bytes acknowledged and received by then.
    bytes: u64,
}

/// Where the system is asked how far the bytes have come.
#[derive(Debug, Default)]
enum Line {
    #[default]
    Unknown,
    /// A second handle on the socket.
    Open(Socket),
    Closed(Option<Delivery>),
}

impl Line {
    fn delivery(&self) -> Option<Delivery> {
        match self {
            Self::Unknown => None,
            Self::Open(socket) => sys::delivery(socket),
            Self::Closed(last) => *last,
        }
    }
}

impl Counter {
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How far the bytes have come, now or when the connection was closed; nothing where the system does not tell.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).delivery()
    }

    /// Notes whether more bytes have come there, or here, since the last time.
    pub fn notice(&self) {
        let bytes = self.received() + self.delivery().map_or_else(|| self.sent(), |delivery| delivery.acknowledged);
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if moved.is_none_or(|moved| moved.bytes < bytes) {
            *moved = Some(Moved { at: Instant::now(), bytes });
        }
    }

    /// For how long nothing was noticed to move.
    #[must_use]
    pub fn quiet(&self) -> Option<Duration> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).map(|moved| moved.at.elapsed())
    }

    fn close(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        *line = Line::Closed(line.delivery());
    }
}

/// A stream that counts.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    counter: Arc<Counter>,
}

impl<S> Counted<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, counter: Arc::default() }
    }

    /// Lets the counter ask the system how far the bytes have come, over a second handle on the stream's socket.
    pub fn watch(&self, socket: Socket) {
        *self.counter.line.lock().unwrap_or_else(PoisonError::into_inner) = Line::Open(socket);
        self.counter.notice();
    }

    #[must_use]
    pub fn counter(&self) -> Arc<Counter> {
        Arc::clone(&self.counter)
    }

    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        // The second handle would keep the connection open.
        self.counter.close();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        let bytes = (buf.filled().len() - before) as u64;
        if bytes > 0 {
            self.counter.received.fetch_add(bytes, Ordering::Relaxed);
            self.counter.notice();
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = poll {
            self.counter.sent.fetch_add(written as u64, Ordering::Relaxed);
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
