//! The answering half of TFTP reads (RFC 1350, 2347-2349, 7440): a small text in place of every file.
//!
//! Each request is answered from a new port, as real servers do and as firewalls must cope with. Names that carry a
//! probe's token are "not found", and the error repeats the token. Nothing is read from the disk and nothing is written:
//! write requests are refused. Until the peer has acknowledged from its own port, nothing is sent again, and with
//! options the first answer is smaller than the request.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::datagram::Letter;
use crate::model::evidence::Failure;
use crate::model::probe::Protocol;
use crate::model::token::Token;
use crate::net::failure::of_io;
use crate::wire::tftp::{self as wire, BLOCK, BLOCK_RANGE, Options, Packet, Request, error, option};

/// The bytes of the file that is served.
const FILE_BYTES: usize = 2048;
/// The most blocks between two acknowledgements.
const MOST_WINDOW: u64 = 64;
/// How often unacknowledged blocks are sent again.
const MOST_RESENDS: u32 = 3;
/// How long an acknowledgement may take before blocks are sent again.
const RESEND_AFTER: Duration = Duration::from_secs(1);

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The only file that is there, in any case of letters and with either slash; any name where left out.
    pub file: Option<String>,
}

impl Service {
    fn has(&self, name: &str) -> bool {
        let plain = |name: &str| name.trim_start_matches(['/', '\\']).replace('\\', "/").to_lowercase();
        self.file.as_deref().is_none_or(|file| plain(file) == plain(name))
    }
}

pub(super) async fn answer(service: Service, letter: Letter) {
    let receipt = letter.shared.receipts.draft(Protocol::Tftp, letter.from, letter.at);
    receipt.note(|receipt| receipt.received_bytes = letter.bytes.len() as u64);
    let Ok(packet) = Packet::decode(&letter.bytes) else { return };
    let (first, transfer) = respond(&service, &packet);
    if let Packet::Read(request) | Packet::Write(request) = &packet {
        receipt.note(|receipt| {
            receipt.asked = Some(request.file.chars().take(200).collect());
            receipt.token = Token::find(&request.file).map(|token| token.to_string());
        });
    }
    let first = first.map(|first| first.encode()).filter(|first| letter.may_answer(first.len()));
    let mut sent_from = None;
    if let Some(first) = first {
        match begin_transfer(&letter, &first).await {
            Ok(socket) => {
                receipt.note(|receipt| receipt.sent_bytes = first.len() as u64);
                sent_from = Some(socket);
            }
            Err(error) => receipt.note(|receipt| receipt.unsent = Some(of_io(&error).0)),
        }
    }
    // Before the transfer, which may hang: this much is certain.
    drop(receipt);
    if let (Some(socket), Some(transfer)) = (sent_from, transfer) {
        // An error here is the peer's end of it.
        let _ = transfer.serve(&socket, letter.shared.limits.idle).await;
    }
}

/// A socket on a new port, for this peer alone, from which the first answer has gone.
async fn begin_transfer(letter: &Letter, first: &[u8]) -> io::Result<UdpSocket> {
    let socket = letter.new_socket().await?;
    socket.send(first).await?;
    Ok(socket)
}

/// The first answer to a packet on the request port, and the transfer that it begins.
fn respond(service: &Service, packet: &Packet) -> (Option<Packet<'static>>, Option<Transfer>) {
    let refuse = |code, message: &str| (refusal(packet, code, message), None);
    match packet {
        Packet::Read(request) => match Token::find(&request.file) {
            Some(token) => refuse(error::FILE_NOT_FOUND, &wire::echo(&token)),
            None if service.has(&request.file) => begin(request),
            None => refuse(error::FILE_NOT_FOUND, "File not found"),
        },
        Packet::Write(_) => refuse(error::ACCESS_VIOLATION, "Read only"),
        Packet::Data { .. } | Packet::Ack(_) | Packet::OptionAck(_) | Packet::Error { .. } => (None, None),
    }
}

/// An error answer that is no longer than the request: without its message, or not at all, where that is very short.
fn refusal(request: &Packet, code: u16, message: &str) -> Option<Packet<'static>> {
    let room = request.encode().len();
    [message, ""].into_iter().map(|text| Packet::error(code, text)).find(|answer| answer.encode().len() <= room)
}

fn begin(request: &Request) -> (Option<Packet<'static>>, Option<Transfer>) {
    let (granted, mut transfer) = negotiate(&request.options);
    if granted.is_empty() {
        return (Some(transfer.block(1)), Some(transfer));
    }
    transfer.next = 0;
    (Some(Packet::OptionAck(granted)), Some(transfer))
}

/// The options granted, none larger than asked for, and the transfer that they make.
fn negotiate(asked: &Options) -> (Options, Transfer) {
    let mut transfer = Transfer { block_size: usize::from(BLOCK), window: 1, next: 1, proved: false };
    let mut granted = Options::default();
    if asked.number(option::TRANSFER_SIZE).is_some() {
        granted = granted.with(option::TRANSFER_SIZE, FILE_BYTES as u64);
    }
    let block_size = asked.number(option::BLOCK_SIZE).filter(|size| *size >= u64::from(*BLOCK_RANGE.start()));
    if let Some(size) = block_size.map(|size| size.min(u64::from(*BLOCK_RANGE.end()))) {
        transfer.block_size = usize::try_from(size).unwrap_or(transfer.block_size);
        granted = granted.with(option::BLOCK_SIZE, size);
    }
    if let Some(size) = asked.number(option::WINDOW_SIZE).filter(|size| *size >= 1).map(|size| size.min(MOST_WINDOW)) {
        transfer.window = usize::try_from(size).unwrap_or(1);
        granted = granted.with(option::WINDOW_SIZE, size);
    }
    (granted, transfer)
}

/// The sending end of one file.
struct Transfer {
    block_size: usize,
    /// Blocks sent between acknowledgements.
    window: usize,
    /// The block that awaits its acknowledgement; 0 while the options do.
    next: usize,
    /// Whether the peer has acknowledged anything, which a forged source address can't.
    proved: bool,
}

impl Transfer {
    /// Sends the file until its last block is acknowledged, the peer ends it, or it falls silent.
    async fn serve(mut self, socket: &UdpSocket, idle: Duration) -> io::Result<()> {
        let last = FILE_BYTES / self.block_size + 1;
        let mut sent_up_to = self.next;
        let mut resends = 0;
        let mut deadline = Instant::now() + idle;
        loop {
            match timeout_at(deadline, acknowledgement(socket)).await {
                Err(_) if !self.proved || resends == MOST_RESENDS => return Ok(()),
                Err(_) => {
                    resends += 1;
                    deadline = Instant::now() + RESEND_AFTER;
                    sent_up_to = self.send_window(socket, last).await?;
                }
                Ok(acknowledged) => {
                    let Some(block) = acknowledged? else { return Ok(()) };
                    let block = usize::from(block);
                    self.proved = true;
                    if block == last {
                        return Ok(());
                    }
                    // An older one is a repeat; answering it would double the transfer (RFC 1123 4.2.3.1).
                    if (self.next..=sent_up_to).contains(&block) {
                        (resends, deadline) = (0, Instant::now() + RESEND_AFTER);
                        self.next = block + 1;
                        sent_up_to = self.send_window(socket, last).await?;
                    }
                }
            }
        }
    }

    /// Sends the blocks from `next` on that fit the window; the last one sent is returned.
    async fn send_window(&self, socket: &UdpSocket, last: usize) -> io::Result<usize> {
        let end = last.min(self.next + self.window - 1);
        for block in self.next..=end {
            let sent = socket.send(&self.block(block).encode()).await;
            heard_of_size(sent)?;
        }
        Ok(end)
    }

    fn block(&self, number: usize) -> Packet<'static> {
        let file = file();
        let from = (number.saturating_sub(1) * self.block_size).min(file.len());
        let to = (from + self.block_size).min(file.len());
        // 2048 bytes in blocks of at least 8 are at most 257 blocks.
        Packet::Data { block: u16::try_from(number).unwrap_or(u16::MAX), bytes: Cow::Owned(file[from..to].to_vec()) }
    }
}

/// Nothing where a router has told that an earlier block was too big: the system cuts what is sent again into fragments.
fn heard_of_size<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if of_io(&error).0 == Failure::Rejected => Ok(None),
        other => other.map(Some),
    }
}

/// The next acknowledgement; nothing where the peer ends the transfer.
async fn acknowledgement(socket: &UdpSocket) -> io::Result<Option<u16>> {
    let mut buffer = [0; 1024];
    loop {
        let Some(length) = heard_of_size(socket.recv(&mut buffer).await)? else { continue };
        match Packet::decode(&buffer[..length]) {
            Ok(Packet::Ack(block)) => return Ok(Some(block)),
            Ok(Packet::Error { .. }) => return Ok(None),
            _ => (),
        }
    }
}

/// The text that every file consists of. Its line ends are those of both transfer modes.
fn file() -> Vec<u8> {
    let line = b"This is a bothways responder in place of the real TFTP server.\r\n";
    line.iter().copied().cycle().take(FILE_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, options: Options) -> Packet<'static> {
        Packet::Read(Request::octet(file, options))
    }

    #[test]
    fn with_options_the_first_answer_is_smaller_than_the_request() {
        let options = Options::default()
            .with(option::TRANSFER_SIZE, 0)
            .with(option::BLOCK_SIZE, 65_464)
            .with(option::WINDOW_SIZE, 4096);
        let request = read("a", options);
        let (first, transfer) = respond(&Service::default(), &request);
        assert!(first.is_some_and(|first| first.encode().len() < request.encode().len()));
        assert!(transfer.is_some_and(|transfer| transfer.window == 64 && transfer.block_size == 65_464));
    }

    #[test]
    fn a_token_is_repeated_where_the_request_is_as_long() {
        let token = Token::random();
        let options = Options::default().with(option::TRANSFER_SIZE, 0);
        let (first, _) = respond(&Service::default(), &read(&token.labelled(), options));
        assert_eq!(first, Some(Packet::error(error::FILE_NOT_FOUND, wire::echo(&token))));
    }

    #[test]
    fn a_named_file_is_found_with_either_slash_and_any_case() {
        let service = Service { file: Some("Boot/X64/wdsnbp.com".to_owned()) };
        assert!(service.has(r"\boot\x64\WDSNBP.com"));
        assert!(!service.has("boot/x86/wdsnbp.com"));
    }

    #[test]
    fn a_refusal_is_never_longer_than_the_request() {
        let service = Service { file: Some("other".to_owned()) };
        for name in ["", "a", "bothways-0123456789abcdef", "a-name-that-is-long-enough-for-every-message"] {
            for mode in ["", "octet"] {
                let request = Request { file: name.to_owned(), mode: mode.to_owned(), options: Options::default() };
                for packet in [Packet::Read(request.clone()), Packet::Write(request)] {
                    let (first, transfer) = respond(&service, &packet);
                    assert!(transfer.is_none());
                    assert!(first.is_none_or(|first| first.encode().len() <= packet.encode().len()), "{packet:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_request_is_not_answered() {
        for packet in [Packet::Ack(7), Packet::error(0, ""), Packet::Data { block: 1, bytes: Cow::Borrowed(b"x") }] {
            assert!(matches!(respond(&Service::default(), &packet), (None, None)), "{packet:?}");
        }
    }
}
