//! Reads an answer's body: counts it, looks for a text in it, and keeps only its beginning.

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

use crate::model::fact::Fact;
use crate::model::probe::Http;
use crate::model::token::Token;
use crate::net::http::{Broken, Conversation};
use crate::net::proxy;
use crate::net::trace::Trace;

/// Bytes that are read at most, whatever a check asks for.
const MOST: u64 = 64 << 20;
/// Bytes that are read where a check asks for nothing in particular.
const ENOUGH: u64 = 64 << 10;
/// Bytes of the beginning that are kept for people.
const KEPT: usize = 1024;

/// What is read of a body, and when it is enough.
struct Reading<'a> {
    wanted: Option<u64>,
    text: Option<&'a str>,
    bytes: u64,
    start: Vec<u8>,
    /// The last bytes, in which the text may have begun.
    tail: Vec<u8>,
    found: bool,
}

/// Reads until the check is content, the body ends, or the bound is reached. Facts are published as they come.
///
/// # Errors
/// [`Broken`] where the connection ended in the middle of the body.
pub(super) async fn read(
    settings: &Http,
    answer: Response<Incoming>,
    line: &Conversation,
    trace: &Trace,
) -> Result<(), Broken> {
    let digest = answer.headers().get(Token::PAGE_HEADER).and_then(|digest| digest.to_str().ok()).map(str::to_owned);
    let mut body = answer.into_body();
    let mut reading = Reading {
        wanted: settings.receive_bytes,
        text: settings.contains.as_deref().filter(|text| !text.is_empty()),
        bytes: 0,
        start: Vec::new(),
        tail: Vec::new(),
        found: false,
    };
    trace.fact(Fact::BodyBytes, 0);
    let (mut ended, mut whole) = (Ok(()), false);
    while !reading.content() {
        match body.frame().await {
            None => {
                whole = true;
                break;
            }
            Some(Err(error)) => {
                ended = Err(line.broken(&error));
                break;
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    reading.take(data, trace);
                }
            }
        }
    }
    if let Some(digest) = digest.filter(|_| whole) {
        // A page that is longer than what is kept is not the responder's.
        let intact = reading.bytes == reading.start.len() as u64 && Token::digest(&reading.start) == digest;
        trace.fact(Fact::PageIntact, intact);
    }
    if reading.text.is_some() {
        trace.fact(Fact::BodyMatches, reading.found);
    }
    ended
}

impl Reading<'_> {
    fn content(&self) -> bool {
        let most = if self.wanted.is_none() && self.text.is_none() { ENOUGH } else { MOST };
        let asked = self.wanted.is_some() || self.text.is_some();
        let met = self.wanted.is_none_or(|wanted| self.bytes >= wanted) && (self.text.is_none() || self.found);
        self.bytes >= most || (asked && met)
    }

    fn take(&mut self, data: &[u8], trace: &Trace) {
        self.bytes += data.len() as u64;
        trace.fact(Fact::BodyBytes, self.bytes);
        if self.start.len() < KEPT {
            self.start.extend_from_slice(&data[..data.len().min(KEPT - self.start.len())]);
            trace.fact(Fact::Banner, proxy::readable(&self.start));
        }
        if let Some(text) = self.text.filter(|_| !self.found) {
            self.tail.extend_from_slice(data);
            self.found = self.tail.windows(text.len()).any(|window| window == text.as_bytes());
            let keep = self.tail.len().min(text.len() - 1);
            self.tail.drain(..self.tail.len() - keep);
        }
    }
}
