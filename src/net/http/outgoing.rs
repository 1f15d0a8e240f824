//! The bodies of our requests: nothing, or text that does not compress to nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// A request's body: so many bytes of printable pseudo-random text, the same in every run.
#[derive(Debug, Clone)]
pub struct Outgoing {
    total: u64,
    left: u64,
    state: u64,
}

impl Outgoing {
    const CHUNK: u64 = 16 << 10;
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    #[must_use]
    pub fn nothing() -> Self {
        Self::text(0)
    }

    /// `bytes` of text.
    #[must_use]
    pub fn text(bytes: u64) -> Self {
        Self { total: bytes, left: bytes, state: 0x9E37_79B9_7F4A_7C15 }
    }

    /// The bytes that it has in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Xorshift (Marsaglia 2003): ten letters from each step.
    fn chunk(&mut self) -> Bytes {
        let size = usize::try_from(self.left.min(Self::CHUNK)).unwrap_or_default();
        self.left -= size as u64;
        let mut text = Vec::with_capacity(size + 10);
        while text.len() < size {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let word = self.state;
            text.extend((0..10).map(|n| Self::LETTERS[(word >> (n * 6) & 63) as usize]));
        }
        text.truncate(size);
        Bytes::from(text)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready((self.left > 0).then(|| Ok(Frame::data(self.chunk()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_length_and_is_printable() {
        let mut body = Outgoing::text(40_000);
        let mut all = Vec::new();
        while !body.is_end_stream() {
            all.extend_from_slice(&body.chunk());
        }
        assert_eq!(all.len(), 40_000);
        assert!(all.iter().all(u8::is_ascii_graphic));
    }

    #[test]
    fn a_body_has_no_long_repetitions() {
        let text = Outgoing::text(Outgoing::CHUNK).chunk();
        let mut pieces: Vec<&[u8]> = text.windows(12).collect();
        pieces.sort_unstable();
        assert!(pieces.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
