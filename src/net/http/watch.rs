//! A stream that tells what really passed, and that lets an early answer be read although writing already failed.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::super::trace::Trace;
use super::Broken;
use crate::model::evidence::Millis;
use crate::model::fact::Fact;

/// What passed on a [`Watched`] stream.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: Mutex<State>,
    sent: Notify,
}

#[derive(Debug, Default)]
struct State {
    trace: Option<Trace>,
    asked_at: Option<Instant>,
    /// Whether a first byte was ever sent; nothing is read before.
    asked: bool,
    /// How much of the blank line after the head has been seen in what was sent.
    head_end: usize,
    body_sent: u64,
    body_wanted: u64,
    answered: bool,
    write_error: Option<Broken>,
    released: bool,
    reader: Option<Waker>,
}

impl Watch {
    pub(super) fn publish(&self, trace: Trace) {
        self.with(|state| state.trace = Some(trace));
    }

    /// A new request with so many bytes of body begins.
    pub(super) fn begin(&self, body: u64) {
        self.with(|state| {
            state.asked_at = Some(Instant::now());
            state.head_end = 0;
            state.body_sent = 0;
            state.body_wanted = body;
            state.answered = false;
        });
    }

    /// Waits until the last byte of the request was taken.
    pub(super) async fn sent(&self) {
        while !self.with(|state| state.all_sent()) {
            self.sent.notified().await;
        }
    }

    pub(super) fn write_error(&self) -> Option<Broken> {
        self.with(|state| state.write_error)
    }

    /// From now on the stream carries another protocol and is only passed through.
    pub(super) fn release(&self) {
        self.with(|state| state.released = true);
    }

    fn may_read(&self, cx: &Context<'_>) -> bool {
        self.with(|state| {
            let may = state.asked || state.released;
            if !may {
                state.reader = Some(cx.waker().clone());
            }
            may
        })
    }

    fn wrote(&self, bytes: &[u8]) {
        let all = self.with(|state| {
            state.wrote(bytes);
            state.all_sent()
        });
        if all {
            self.sent.notify_one();
        }
    }

    /// Remembers why writing failed; whether reading decides what that means.
    fn write_failed(&self, error: &io::Error) -> bool {
        self.with(|state| {
            state.write_error = Some(Broken::of_write(error));
            state.asked = true;
            state.wake_reader();
            !state.released
        })
    }

    fn stuck(&self) -> bool {
        self.with(|state| state.write_error.is_some() && !state.released)
    }

    fn read(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.with(|state| state.read(bytes));
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    const HEAD_END: &[u8] = b"\r\n\r\n";

    fn all_sent(&self) -> bool {
        self.head_end == Self::HEAD_END.len() && self.body_sent >= self.body_wanted
    }

    fn wrote(&mut self, bytes: &[u8]) {
        if self.released {
            return;
        }
        if !self.asked {
            self.asked = true;
            self.wake_reader();
        }
        let mut rest = bytes;
        while self.head_end < Self::HEAD_END.len() {
            let Some((first, others)) = rest.split_first() else { return };
            rest = others;
            self.head_end = match first {
                byte if *byte == Self::HEAD_END[self.head_end] => self.head_end + 1,
                b'\r' => 1,
                _ => 0,
            };
        }
        self.body_sent += rest.len() as u64;
        if let Some(trace) = self.trace.as_ref().filter(|_| !rest.is_empty()) {
            trace.fact(Fact::RequestBodyBytes, self.body_sent);
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        if self.answered || self.released {
            return;
        }
        self.answered = true;
        let Some((trace, asked_at)) = self.trace.as_ref().zip(self.asked_at) else { return };
        trace.fact(Fact::FirstByteMs, Millis::from_duration(asked_at.elapsed()).as_f64());
        let known = bytes.len().min(5);
        if bytes[..known] != b"HTTP/"[..known] {
            trace.fact(Fact::Banner, printable(bytes));
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// The first 200 characters of bytes, with `\xHH` for what can't be printed.
fn printable(bytes: &[u8]) -> String {
    let text: String =
        bytes.iter().take(200).flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    text.chars().take(200).collect()
}

/// A stream whose writing can fail without hiding an answer that is already there.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }

    /// A failed write never ends: the answer, the end of the stream or a read error is there and ends the conversation.
    fn written<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match poll {
            Poll::Ready(Err(error)) if self.watch.write_failed(&error) => Poll::Pending,
            other => other,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.watch.may_read(cx) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch.read(&buf.filled()[before..]);
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.watch.stuck() {
            return Poll::Pending;
        }
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = poll {
            self.watch.wrote(&buf[..written]);
        }
        self.written(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.stuck() {
            return Poll::Pending;
        }
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
