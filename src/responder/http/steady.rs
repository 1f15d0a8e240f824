//! A connection that does not hang: writing that makes no progress ends, and closing lets a late reader still read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes that are read away at most while closing.
const MOST_DRAINED: usize = 16 << 20;

/// A stream with a bound on how long nothing may move while something waits to be written.
pub(super) struct Steady<S> {
    stream: S,
    idle: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Closing,
}

/// How far closing has come. A connection closed with unread bytes is reset by the system, and the reset could
/// overtake the answer (RFC 9112 9.6); so our half is closed first, and the peer's is read to its end.
enum Closing {
    No,
    Draining(usize),
    Done,
}

impl<S> Steady<S> {
    pub(super) fn new(stream: S, idle: Duration) -> Self {
        Self { stream, idle, stalled: None, closing: Closing::No }
    }

    /// Passes progress on; with none for too long, an error.
    fn watched<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let idle = self.idle;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> Steady<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>, mut drained: usize) -> Poll<io::Result<()>> {
        let mut scratch = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && drained < MOST_DRAINED => {
                    drained += buf.filled().len();
                    self.stalled = None;
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    self.closing = Closing::Draining(drained);
                    let waited: Poll<io::Result<()>> = self.watched(cx, Poll::Pending);
                    return waited.map(|_| Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Steady<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watched(cx, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = match self.closing {
            Closing::No => {
                let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
                ready!(self.watched(cx, poll))?;
                0
            }
            Closing::Draining(drained) => drained,
            Closing::Done => return Poll::Ready(Ok(())),
        };
        let ended = self.poll_drain(cx, drained);
        if ended.is_ready() {
            self.closing = Closing::Done;
        }
        ended
    }
}
