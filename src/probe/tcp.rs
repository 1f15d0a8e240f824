//! The asking half of plain TCP connections.
//!
//! Nothing is sent unless the check names a payload: real services behind such ports (a client's wake-up port) expect none
//! from strangers. What proves the far side then is the greeting of a responder, or a canary: ports of the same address
//! that should be closed, and on which an accept unmasks a device that accepts everything.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::model::ask::Ask;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::Tcp;
use crate::model::token::Token;
use crate::net::trace::{OpenStep, Trace};
use crate::net::{Net, Stopped, tcp};

/// How long a connection is watched for a close, a reset or a greeting. TCP itself never says "that was all".
const LOOK: Duration = Duration::from_millis(300);
/// How long a payload may take to be acknowledged, and a greeting to come that was not there at first: long enough for several
/// tries of either system.
const LATE: Duration = Duration::from_secs(2);
/// The first wait for an acknowledgement; every later one is twice as long.
const ACKNOWLEDGED: Duration = Duration::from_millis(5);
/// How long a canary may take; a port that is silent for so long is not one on which everything is accepted.
const CANARY: Duration = Duration::from_secs(1);
/// Bytes that are read at most in search of the expected text.
const MOST: usize = 64 * 1024;

pub(super) async fn run(
    settings: &Tcp,
    ask: &Ask,
    address: SocketAddr,
    _net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    let mut connection = tcp::connect(address, ask, trace).await?;
    let peer = Some(address.to_string());
    if let Some(payload) = &settings.send {
        let step = trace.begin(StepKind::Request, peer.clone());
        if let Err(error) = connection.write_all(&unescape(payload)).await {
            return Err(step.fail_io(&error));
        }
        // Where an answer is waited for, it says more.
        if settings.expect.is_none() && timeout(LATE, acknowledgement(&connection)).await.is_err() {
            return Err(step.fail_with(Failure::TimedOut, "never acknowledged"));
        }
        step.pass();
    }
    let mut heard = Heard { bytes: Vec::new(), trace };
    let step = trace.begin(StepKind::Reply, peer);
    if let Some(expected) = &settings.expect {
        return heard.until_seen(&mut connection, expected.as_bytes(), step).await;
    }
    if heard.look(&mut connection, step).await? != FarSide::Responder {
        let (canary, ()) = tokio::join!(canary(ask, address, trace), heard.late(&mut connection));
        trace.fact(Fact::Canary, canary);
    }
    Ok(())
}

/// Waits until all that was sent is acknowledged by the far side's system, where this one tells.
async fn acknowledgement(connection: &tcp::Connection) {
    let counter = connection.counter();
    let mut pause = ACKNOWLEDGED;
    while counter.delivery().is_some_and(|delivery| delivery.acknowledged < counter.sent()) {
        sleep(pause).await;
        pause *= 2;
    }
}

/// Who the first bytes speak for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FarSide {
    Responder,
    Unknown,
}

/// What came back so far; its beginning is kept in the trace as it grows, so that a cut leaves it there.
struct Heard<'t> {
    bytes: Vec<u8>,
    trace: &'t Trace,
}

impl Heard<'_> {
    /// Reads once more. `None` is the end of the stream.
    async fn more(&mut self, connection: &mut tcp::Connection) -> std::io::Result<Option<()>> {
        let mut buffer = [0; 4096];
        let length = connection.read(&mut buffer).await?;
        if length == 0 {
            return Ok(None);
        }
        self.bytes.extend_from_slice(&buffer[..length]);
        self.trace.fact(Fact::Banner, printable(&self.bytes));
        if self.far_side() == FarSide::Responder {
            self.trace.fact(Fact::Echoed, true);
        }
        Ok(Some(()))
    }

    fn far_side(&self) -> FarSide {
        if self.bytes.starts_with(Token::GREETING.as_bytes()) { FarSide::Responder } else { FarSide::Unknown }
    }

    /// Watches for a moment whether the far side closes, resets or speaks.
    async fn look(&mut self, connection: &mut tcp::Connection, step: OpenStep) -> Result<FarSide, Stopped> {
        let greeting = Token::GREETING.as_bytes();
        let speaking = async {
            while self.bytes.len() < greeting.len() && greeting.starts_with(&self.bytes) {
                if self.more(connection).await?.is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        };
        match timeout(LOOK, speaking).await {
            Ok(Err(error)) => return Err(step.fail_io(&error)),
            Ok(Ok(None)) if self.bytes.is_empty() => return Err(step.fail(Failure::Closed)),
            Ok(Ok(_)) => step.pass_with("the far side spoke first"),
            Err(_) => step.pass_with("open and silent"),
        }
        Ok(self.far_side())
    }

    /// Waits for first bytes that are late, as on a busy machine; what else may become of the connection by then says nothing.
    async fn late(&mut self, connection: &mut tcp::Connection) {
        if self.bytes.is_empty() {
            let _ = timeout(LATE, self.more(connection)).await;
        }
    }

    /// Reads until the expected text is there.
    async fn until_seen(
        &mut self,
        connection: &mut tcp::Connection,
        expected: &[u8],
        step: OpenStep,
    ) -> Result<(), Stopped> {
        while !contains(&self.bytes, expected) {
            if self.bytes.len() >= MOST {
                return Err(step.fail_with(Failure::Unexpected, "64 KiB without the expected text"));
            }
            match self.more(connection).await {
                Ok(Some(())) => {}
                Ok(None) if self.bytes.is_empty() => return Err(step.fail(Failure::Closed)),
                Ok(None) => return Err(step.fail_with(Failure::Unexpected, "closed without the expected text")),
                Err(error) => return Err(step.fail_io(&error)),
            }
        }
        self.trace.fact(Fact::BodyMatches, true);
        step.pass_with("the expected text came");
        Ok(())
    }
}

/// Connects to two ports of the same address on which nothing should listen.
///
/// Two, because one may be taken by chance; picked below the ranges from which systems give ports to their own clients.
async fn canary(ask: &Ask, address: SocketAddr, trace: &Trace) -> &'static str {
    let bytes = ask.token.bytes();
    let port = |high: u8, low: u8| {
        let candidate = 20_000 + u16::from_be_bytes([high, low]) % 6_000;
        if candidate == address.port() { candidate + 1 } else { candidate }
    };
    let first = port(bytes[0], bytes[1]);
    let second = port(bytes[2], bytes[3]) + 6_001;
    let (first, second) = tokio::join!(
        answer_of(SocketAddr::new(address.ip(), first), ask, trace),
        answer_of(SocketAddr::new(address.ip(), second), ask, trace),
    );
    // One port that does not accept is enough: whatever accepts there does not accept everything.
    if first == "accepted" { second } else { first }
}

async fn answer_of(address: SocketAddr, ask: &Ask, trace: &Trace) -> &'static str {
    let aside = trace.fork();
    match timeout(CANARY, tcp::connect(address, ask, &aside)).await {
        Ok(Ok(_)) => return "accepted",
        Err(_) => return "timed-out",
        Ok(Err(Stopped)) => {}
    }
    match aside.finish(Failure::TimedOut).stopped_at().and_then(|step| step.error) {
        Some(Failure::Refused) => "refused",
        Some(Failure::TimedOut) => "timed-out",
        _ => "rejected",
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The first bytes, with everything that is not printable ASCII escaped.
fn printable(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(64)].escape_ascii().to_string()
}

/// `\r`, `\n`, `\t`, `\\` and `\xHH` to the bytes they stand for; any other backslash is itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, length) = if first == b'\\' { escaped(after) } else { (first, 0) };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes
}

/// The byte that the text after a backslash stands for, and how much of that text is used up.
fn escaped(after: &[u8]) -> (u8, usize) {
    match after {
        [b'r', ..] => (b'\r', 1),
        [b'n', ..] => (b'\n', 1),
        [b't', ..] => (b'\t', 1),
        [b'\\', ..] => (b'\\', 1),
        [b'x', high, low, ..] => match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
            #[expect(clippy::cast_possible_truncation, reason = "two hexadecimal digits make one byte")]
            (Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
            _ => (b'\\', 0),
        },
        _ => (b'\\', 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{contains, unescape};

    #[test]
    fn escapes_stand_for_their_bytes() {
        assert_eq!(unescape(r"A\r\n\t\\\x00\xfF"), b"A\r\n\t\\\x00\xff");
    }

    #[test]
    fn a_backslash_that_escapes_nothing_is_itself() {
        assert_eq!(unescape(r"\q\x1\xzz\"), br"\q\x1\xzz\");
    }

    #[test]
    fn a_text_is_found_across_reads() {
        assert!(contains(b"220 ready\r\n", b"ready"));
        assert!(!contains(b"220 rea", b"ready"));
    }

    proptest! {
        #[test]
        fn unescaping_never_grows_or_panics(text in ".*") {
            prop_assert!(unescape(&text).len() <= text.len());
        }

        #[test]
        fn every_byte_can_be_written(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            use std::fmt::Write;
            let text = bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "\\x{byte:02x}");
                text
            });
            prop_assert_eq!(unescape(&text), bytes);
        }
    }
}
