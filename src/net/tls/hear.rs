//! Keeps the first bytes that the far side sends, so that a peer which does not speak TLS can be shown.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chain::printable;

/// A stream that remembers its first bytes.
#[derive(Debug)]
pub(super) struct Heard<S> {
    stream: S,
    first: Vec<u8>,
}

impl<S> Heard<S> {
    const KEPT: usize = 256;

    pub fn new(stream: S) -> Self {
        Self { stream, first: Vec::new() }
    }

    /// Whether the first bytes begin a TLS record: a type from change-cipher-spec to application data, and version 3.x.
    pub fn is_tls(&self) -> bool {
        match self.first.as_slice() {
            [20..=23, 3, 0..=4, ..] => true,
            // Too few to tell: as far as they go they must fit.
            [kind] => matches!(kind, 20..=23),
            [kind, major] => matches!(kind, 20..=23) && *major == 3,
            _ => false,
        }
    }

    /// The first line of what came, where it is text.
    pub fn banner(&self) -> Option<String> {
        let line = self.first.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        let text = std::str::from_utf8(line).ok()?;
        let readable = !text.is_empty() && !text.chars().any(char::is_control);
        readable.then(|| printable(text))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        let wanted = Self::KEPT.saturating_sub(self.first.len());
        if wanted > 0 {
            let new = buf.filled().get(before..).unwrap_or_default();
            self.first.extend_from_slice(&new[..new.len().min(wanted)]);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
