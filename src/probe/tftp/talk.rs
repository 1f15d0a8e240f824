//! Datagrams to and from one TFTP server: resends, the lock onto its transfer port, strangers, and the transfer itself.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::window::{Reaction, Window};
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::TftpRead;
use crate::net::Stopped;
use crate::net::trace::Trace;
use crate::net::udp::{Datagrams, NoDatagram};
use crate::wire::tftp::{Packet, error};

/// When an unanswered request is sent again, counted from its first sending.
const RESEND_AFTER: [Duration; 3] = [Duration::from_millis(700), Duration::from_millis(1600), Duration::from_secs(3)];
/// When an acknowledgement that brings nothing new is sent again.
const ACKNOWLEDGE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often one acknowledgement is sent again before the transfer counts as stalled.
const MOST_ACKNOWLEDGEMENTS: u32 = 5;
/// A file is read no further than this.
const MOST_BYTES: u64 = 1 << 30;
/// Packets from wrong ports that are answered; more are only ignored.
const MOST_STRANGERS_TOLD: u32 = 8;

/// A conversation with one server.
pub(super) struct Talk<'t> {
    datagrams: Datagrams,
    /// Where requests go.
    server: SocketAddr,
    /// Where the last packet came from.
    from: SocketAddr,
    /// Whether only `from` is listened to.
    locked: bool,
    buffer: Vec<u8>,
    trace: &'t Trace,
    resends: u64,
    strangers_told: u32,
    /// ICMP errors that packets to strangers may still bring about.
    forgivable: u32,
}

/// The receiving end of a file that has begun.
pub(super) struct Transfer {
    window: Window,
    /// What the first answer calls for.
    next: Reaction,
}

impl Transfer {
    /// A transfer whose first answer was an option acknowledgement, or a first block of so many bytes; nothing where that
    /// block is too large.
    pub fn begun(block_size: u16, window: u16, first_block: Option<usize>) -> Option<Self> {
        let mut window = Window::new(block_size, window);
        let next = first_block.map_or(Reaction::Acknowledge(0), |length| window.take(1, length));
        (next != Reaction::TooLarge).then_some(Self { window, next })
    }
}

impl<'t> Talk<'t> {
    pub fn new(datagrams: Datagrams, server: SocketAddr, trace: &'t Trace) -> Self {
        Self {
            datagrams,
            server,
            from: server,
            locked: false,
            buffer: vec![0; 65_536],
            trace,
            resends: 0,
            strangers_told: 0,
            forgivable: 0,
        }
    }

    pub fn server(&self) -> SocketAddr {
        self.server
    }

    pub fn peer(&self) -> SocketAddr {
        self.from
    }

    /// From now on only the port of the last answer counts; it is returned.
    pub fn lock(&mut self) -> u16 {
        self.locked = true;
        self.from.port()
    }

    /// Makes ready for another request on the same socket.
    pub fn forget_transfer(&mut self) {
        self.locked = false;
    }

    pub async fn send_request(&self, datagram: &[u8]) -> Result<(), NoDatagram> {
        self.datagrams.send(datagram, self.server).await
    }

    /// Awaits the first answer, sending the request again meanwhile.
    pub async fn first_answer(&mut self, request: &[u8]) -> Result<&[u8], NoDatagram> {
        let begun = Instant::now();
        for after in RESEND_AFTER {
            match timeout_at(begun + after, self.hear()).await {
                Ok(heard) => return heard.map(|length| &self.buffer[..length]),
                Err(_) => self.send_again(request, self.server).await?,
            }
        }
        let length = self.hear().await?;
        Ok(&self.buffer[..length])
    }

    /// Awaits the first answer, without sending the request again.
    pub async fn one_answer(&mut self) -> Result<(), NoDatagram> {
        self.hear().await.map(|_| ())
    }

    /// Tells the server to stop sending.
    pub async fn abort(&self, why: &str) {
        // It saves the server some resends; nothing depends on it.
        let _ = self.datagrams.send(&Packet::error(error::UNDEFINED, why).encode(), self.from).await;
    }

    /// Reads the rest of the file, or until an acknowledgement has brought more of it; nothing is kept. One step.
    pub async fn read(&mut self, transfer: Transfer, extent: TftpRead) -> Result<(), Stopped> {
        let step = self.trace.begin(StepKind::Reply, Some(self.from.to_string()));
        let mut tally = Tally {
            window: transfer.window,
            begun: Instant::now(),
            moved: Instant::now(),
            ended: false,
            trace: self.trace.clone(),
        };
        let enough = match extent {
            TftpRead::Start => tally.window.bytes() + 1,
            TftpRead::Whole => MOST_BYTES,
        };
        match self.read_blocks(transfer.next, &mut tally, enough).await {
            Ok(()) => {
                tally.ended = true;
                let bytes = tally.window.bytes();
                let how = if bytes < enough { "the whole file" } else { "no further than this" };
                step.pass_with(format!("read {how}: {bytes} bytes"));
                Ok(())
            }
            Err(Trouble::Network(refusal)) => Err(refusal.end(step)),
            Err(Trouble::Ended) => Err(step.fail(Failure::Unexpected)),
            Err(Trouble::Given(failure)) => {
                self.abort("giving up").await;
                Err(step.fail(failure))
            }
        }
    }

    async fn read_blocks(&mut self, first: Reaction, tally: &mut Tally, enough: u64) -> Result<(), Trouble> {
        let mut next = first;
        let mut deadline = Instant::now() + ACKNOWLEDGE_AGAIN_AFTER;
        let mut unanswered = 0;
        loop {
            if tally.window.bytes() >= enough && !matches!(next, Reaction::Complete(_)) {
                self.abort("that was enough of this file").await;
                return Ok(());
            }
            if let Reaction::Acknowledge(block) | Reaction::GoBack(block) | Reaction::Complete(block) = next {
                self.datagrams.send(&Packet::Ack(block).encode(), self.from).await?;
            }
            match next {
                Reaction::Complete(_) => return Ok(()),
                Reaction::TooLarge => return Err(Trouble::Given(Failure::Malformed)),
                Reaction::GoBack(_) | Reaction::Ignore => (),
                Reaction::Acknowledge(_) | Reaction::Progress => {
                    tally.moved = Instant::now();
                    (deadline, unanswered) = (tally.moved + ACKNOWLEDGE_AGAIN_AFTER, 0);
                }
            }
            next = match timeout_at(deadline, self.hear()).await {
                Ok(heard) => self.take(heard?, &mut tally.window)?,
                Err(_) if unanswered == MOST_ACKNOWLEDGEMENTS => return Err(Trouble::Given(Failure::TimedOut)),
                Err(_) => {
                    (deadline, unanswered) = (Instant::now() + ACKNOWLEDGE_AGAIN_AFTER, unanswered + 1);
                    self.send_again(&Packet::Ack(tally.window.last()).encode(), self.from).await?;
                    Reaction::Ignore
                }
            };
        }
    }

    /// What a packet of the transfer calls for.
    fn take(&self, length: usize, window: &mut Window) -> Result<Reaction, Trouble> {
        match Packet::decode(&self.buffer[..length]) {
            Ok(Packet::Data { block, bytes }) => Ok(window.take(block, bytes.len())),
            Ok(Packet::OptionAck(_)) => {
                window.repeated();
                Ok(Reaction::Ignore)
            }
            Ok(Packet::Error { code, message }) => {
                publish_error(code, &message, self.trace);
                Err(Trouble::Ended)
            }
            _ => Err(Trouble::Given(Failure::Malformed)),
        }
    }

    async fn send_again(&mut self, datagram: &[u8], to: SocketAddr) -> Result<(), NoDatagram> {
        self.resends += 1;
        self.trace.fact(Fact::Resends, self.resends);
        self.datagrams.send(datagram, to).await
    }

    /// The length of the next packet that counts; it is in the buffer.
    async fn hear(&mut self) -> Result<usize, NoDatagram> {
        loop {
            let received =
                self.datagrams.receive(&mut self.buffer).await.map(|(datagram, from)| (datagram.len(), from));
            let (length, from) = match received {
                Ok(received) => received,
                Err(refusal) if self.forgives(&refusal) => continue,
                Err(refusal) => return Err(refusal),
            };
            if from.ip().to_canonical() != self.server.ip().to_canonical() {
                let stranger = format!("an answer came from another address, {from}, and was ignored");
                self.trace.fact(Fact::Detail, stranger);
            } else if self.locked && from != self.from {
                self.tell_stranger(length, from).await;
            } else {
                self.from = from;
                return Ok(length);
            }
        }
    }

    /// A packet from another port of the server belongs to another transfer (RFC 1350 4).
    async fn tell_stranger(&mut self, length: usize, from: SocketAddr) {
        let is_error = matches!(Packet::decode(&self.buffer[..length]), Ok(Packet::Error { .. }));
        if is_error || self.strangers_told == MOST_STRANGERS_TOLD {
            return;
        }
        self.strangers_told += 1;
        self.forgivable += 1;
        let _ = self.datagrams.send(&Packet::error(error::UNKNOWN_TRANSFER, "unknown transfer").encode(), from).await;
    }

    /// Whether an ICMP error may well be about a packet to a stranger, whose port was closed.
    fn forgives(&mut self, refusal: &NoDatagram) -> bool {
        let forgiven = self.forgivable > 0 && matches!(refusal.failure(), Failure::Refused | Failure::Reset);
        self.forgivable -= u32::from(forgiven);
        forgiven
    }
}

/// Why a transfer did not come to its end.
enum Trouble {
    /// The system, or ICMP, refused.
    Network(NoDatagram),
    /// The server ended it with an error packet, which needs no answer.
    Ended,
    /// This side gives up, and tells the server.
    Given(Failure),
}

impl From<NoDatagram> for Trouble {
    fn from(refusal: NoDatagram) -> Self {
        Self::Network(refusal)
    }
}

/// Publishes how far a transfer came, also when a deadline drops it.
struct Tally {
    window: Window,
    begun: Instant,
    /// When something new came last.
    moved: Instant,
    /// Whether it came to its end.
    ended: bool,
    trace: Trace,
}

impl Drop for Tally {
    fn drop(&mut self) {
        let bytes = self.window.bytes();
        self.trace.fact(Fact::FileRead, bytes);
        if !self.ended {
            self.trace.fact(Fact::QuietMs, u64::try_from(self.moved.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        let micros = self.begun.elapsed().as_micros().max(1);
        self.trace.fact(Fact::Rate, u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX));
        if self.window.repeats() > 0 {
            self.trace.fact(Fact::Repeats, self.window.repeats());
        }
    }
}

/// Publishes an error answer.
pub(super) fn publish_error(code: u16, message: &str, trace: &Trace) {
    trace.fact(Fact::TftpError, code);
    trace.fact(Fact::TftpMessage, shown(message));
}

/// A text from the network as it may be shown: one line of at most 200 characters, nothing that moves a cursor.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
