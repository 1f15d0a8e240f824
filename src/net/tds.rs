//! TDS over a stream: whole messages, and the TLS that TDS 7 carries inside packets (MS-TDS 2.2.6.5).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::wire::tds::{self, HEADER, Kind, NotTds, PACKET};

/// The longest message that is read: those before the end of a login are far shorter.
pub const LONGEST: usize = 64 << 10;

/// Reads one message of this kind. `seen` gets the bytes as they come, so that they can be shown where they are no TDS.
///
/// # Errors
/// `InvalidData` where it is no such message, `UnexpectedEof` where the far side closed first, and those of the stream.
pub async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    kind: Kind,
    seen: &mut Vec<u8>,
) -> io::Result<Vec<u8>> {
    loop {
        seen.reserve(PACKET);
        if stream.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(body) = tds::message(seen, kind, LONGEST).map_err(not_tds)? {
            return Ok(body);
        }
    }
}

fn not_tds(error: NotTds) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A stream under a TLS handshake that takes each flight out of TDS packets and puts each flight into them.
///
/// After the handshake, TLS runs without packets: [`Wrapped::unwrap_from_here`].
#[derive(Debug)]
pub struct Wrapped<S> {
    stream: S,
    wrapping: bool,
    header: [u8; HEADER],
    header_read: usize,
    /// Bytes of the present packet that are still to come.
    content_left: usize,
    /// What has been written since the last flush, without headers.
    flight: Vec<u8>,
    /// A flight in packets, and how much of it is sent.
    outgoing: Vec<u8>,
    sent: usize,
}

impl<S> Wrapped<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            wrapping: true,
            header: [0; HEADER],
            header_read: 0,
            content_left: 0,
            flight: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
        }
    }

    /// The handshake is over: from here on bytes pass as they are.
    pub fn unwrap_from_here(&mut self) {
        self.wrapping = false;
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> Wrapped<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.sent == self.outgoing.len() && !self.flight.is_empty() {
            self.outgoing = tds::packets(Kind::Prelogin, &std::mem::take(&mut self.flight));
            self.sent = 0;
        }
        while self.sent < self.outgoing.len() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Wrapped<S> {
    /// Reads packet headers until there is content; `false` at the end of the stream.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.content_left == 0 {
            let mut rest = ReadBuf::new(&mut self.header[self.header_read..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut rest))?;
            let read = rest.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(false));
            }
            self.header_read += read;
            if self.header_read == HEADER {
                self.header_read = 0;
                let (length, _) = tds::content(self.header, Kind::Prelogin).map_err(not_tds)?;
                self.content_left = length;
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.wrapping {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        // Not every TLS library flushes before it waits for the answer.
        if let Poll::Ready(Err(error)) = this.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        if !ready!(this.poll_header(cx))? {
            return Poll::Ready(Ok(()));
        }
        let room = buf.remaining().min(this.content_left);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        this.content_left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.wrapping {
            ready!(this.poll_send(cx))?;
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        }
        if this.flight.len() >= LONGEST {
            ready!(this.poll_send(cx))?;
        }
        this.flight.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
