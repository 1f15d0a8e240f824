//! TFTP packets (RFC 1350), options (RFC 2347), block size (2348), transfer size (2349) and window size (7440).
//!
//! Bytes to structs and back; who may say what when is for the probe and the responder.

use std::borrow::Cow;

use crate::model::token::Token;

/// The data bytes of a block where no other size was agreed (RFC 1350 2).
pub const BLOCK: u16 = 512;
/// The smallest and largest block that can be agreed (RFC 2348).
pub const BLOCK_RANGE: std::ops::RangeInclusive<u16> = 8..=65_464;
/// The longest file name, option name or option value that is accepted, in bytes.
const LONGEST_TEXT: usize = 512;
/// The most options that are accepted in one packet.
const MOST_OPTIONS: usize = 32;

/// One TFTP packet (RFC 1350 5, RFC 2347).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ: a file is asked for.
    Read(Request),
    /// WRQ: a file is offered.
    Write(Request),
    Data {
        /// Counts from 1 and wraps around after 65 535.
        block: u16,
        bytes: Cow<'a, [u8]>,
    },
    Ack(u16),
    Error {
        code: u16,
        message: String,
    },
    /// OACK: the options that the server accepts.
    OptionAck(Options),
}

/// What a read or write request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub file: String,
    /// `octet` or `netascii`, in any case of letters.
    pub mode: String,
    pub options: Options,
}

/// Options and their values, in order. Names compare without regard to case (RFC 2347).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, String)>);

/// The error codes of RFC 1350 and RFC 2347 that this program says or explains.
pub mod error {
    pub const UNDEFINED: u16 = 0;
    pub const FILE_NOT_FOUND: u16 = 1;
    pub const ACCESS_VIOLATION: u16 = 2;
    pub const ILLEGAL_OPERATION: u16 = 4;
    pub const UNKNOWN_TRANSFER: u16 = 5;
    pub const OPTION_REFUSED: u16 = 8;
}

/// The option names that this program uses.
pub mod option {
    pub const BLOCK_SIZE: &str = "blksize";
    pub const TRANSFER_SIZE: &str = "tsize";
    pub const WINDOW_SIZE: &str = "windowsize";
}

/// Why some bytes are no TFTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    #[error("the packet ends too early")]
    Short,
    #[error("there is no operation {0}")]
    Operation(u16),
    #[error("a text has no end")]
    Unended,
    #[error("a text is too long, or there are too many")]
    TooMuch,
    #[error("there are bytes after the end")]
    Trailing,
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    ///
    /// Texts that are not UTF-8 are read with replacement characters; an error message may lack its final zero, as some
    /// servers send it, and is cut after 512 bytes.
    ///
    /// # Errors
    /// [`BadPacket`] where the bytes are not a whole packet.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, BadPacket> {
        let (operation, body) = word(datagram)?;
        match operation {
            1 => Ok(Self::Read(Request::decode(body)?)),
            2 => Ok(Self::Write(Request::decode(body)?)),
            3 => word(body).map(|(block, bytes)| Self::Data { block, bytes: Cow::Borrowed(bytes) }),
            4 => match word(body)? {
                (block, []) => Ok(Self::Ack(block)),
                _ => Err(BadPacket::Trailing),
            },
            5 => word(body).map(|(code, text)| Self::Error { code, message: message(text) }),
            6 => Options::decode(body).map(Self::OptionAck),
            other => Err(BadPacket::Operation(other)),
        }
    }

    /// The datagram of this packet. Texts are cut at their first zero byte, which would end them early.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Read(request) => request.encode(1, &mut out),
            Self::Write(request) => request.encode(2, &mut out),
            Self::Data { block, bytes } => {
                put(&mut out, &[3, *block]);
                out.extend_from_slice(bytes);
            }
            Self::Ack(block) => put(&mut out, &[4, *block]),
            Self::Error { code, message } => {
                put(&mut out, &[5, *code]);
                text(&mut out, message);
            }
            Self::OptionAck(options) => {
                put(&mut out, &[6]);
                options.encode(&mut out);
            }
        }
        out
    }

    #[must_use]
    pub fn error(code: u16, message: impl Into<String>) -> Self {
        Self::Error { code, message: message.into() }
    }
}

impl Request {
    /// A request in octet mode.
    #[must_use]
    pub fn octet(file: impl Into<String>, options: Options) -> Self {
        Self { file: file.into(), mode: "octet".to_owned(), options }
    }

    fn decode(body: &[u8]) -> Result<Self, BadPacket> {
        let (file, rest) = ended_text(body)?;
        let (mode, rest) = ended_text(rest)?;
        Ok(Self { file, mode, options: Options::decode(rest)? })
    }

    fn encode(&self, operation: u16, out: &mut Vec<u8>) {
        put(out, &[operation]);
        text(out, &self.file);
        text(out, &self.mode);
        self.options.encode(out);
    }
}

impl Options {
    /// Adds an option whose value is a number, as all that this program uses are.
    #[must_use]
    pub fn with(mut self, name: &str, value: u64) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of an option.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of an option that is a decimal number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn decode(mut rest: &[u8]) -> Result<Self, BadPacket> {
        let mut options = Vec::new();
        while !rest.is_empty() {
            if options.len() == MOST_OPTIONS {
                return Err(BadPacket::TooMuch);
            }
            let (name, after) = ended_text(rest)?;
            let (value, after) = ended_text(after)?;
            options.push((name, value));
            rest = after;
        }
        Ok(Self(options))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            text(out, name);
            text(out, value);
        }
    }
}

/// The message with which a `bothways` responder says that a file named after a token is not there. No longer than the
/// request for it, so that the answer is never larger than the question.
#[must_use]
pub fn echo(token: &Token) -> String {
    format!("no file; echo {token}")
}

fn word(bytes: &[u8]) -> Result<(u16, &[u8]), BadPacket> {
    let (head, rest) = bytes.split_first_chunk::<2>().ok_or(BadPacket::Short)?;
    Ok((u16::from_be_bytes(*head), rest))
}

/// The text up to the next zero byte, and what follows that byte.
fn ended_text(bytes: &[u8]) -> Result<(String, &[u8]), BadPacket> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(BadPacket::Unended)?;
    if end > LONGEST_TEXT {
        return Err(BadPacket::TooMuch);
    }
    Ok((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 1..]))
}

fn message(bytes: &[u8]) -> String {
    let ended = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(&ended[..ended.len().min(LONGEST_TEXT)]).into_owned()
}

fn put(out: &mut Vec<u8>, words: &[u16]) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().take_while(|byte| *byte != 0));
    out.push(0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_text() -> impl Strategy<Value = String> {
        "[^\u{0}]{0,40}"
    }

    fn some_options() -> impl Strategy<Value = Options> {
        prop::collection::vec((some_text(), some_text()), 0..=MOST_OPTIONS).prop_map(Options)
    }

    fn some_request() -> impl Strategy<Value = Request> {
        (some_text(), some_text(), some_options()).prop_map(|(file, mode, options)| Request { file, mode, options })
    }

    fn some_packet() -> impl Strategy<Value = Packet<'static>> {
        prop_oneof![
            some_request().prop_map(Packet::Read),
            some_request().prop_map(Packet::Write),
            (any::<u16>(), prop::collection::vec(any::<u8>(), 0..1500))
                .prop_map(|(block, bytes)| Packet::Data { block, bytes: Cow::Owned(bytes) }),
            any::<u16>().prop_map(Packet::Ack),
            (any::<u16>(), some_text()).prop_map(|(code, message)| Packet::Error { code, message }),
            some_options().prop_map(Packet::OptionAck),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back(packet in some_packet()) {
            let bytes = packet.encode();
            prop_assert_eq!(Packet::decode(&bytes), Ok(packet));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let _ = Packet::decode(&bytes);
        }

        #[test]
        fn no_bytes_behind_a_known_operation_make_the_reader_panic(
            operation in 0u8..8,
            bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..700),
        ) {
            let _ = Packet::decode(&[&[0, operation], bytes.as_slice()].concat());
        }

        #[test]
        fn every_beginning_of_a_packet_is_read_or_refused(packet in some_packet(), cut in any::<prop::sample::Index>()) {
            let whole = packet.encode();
            let _ = Packet::decode(&whole[..cut.index(whole.len())]);
        }
    }

    #[test]
    fn a_read_request_is_written_as_the_rfc_draws_it() {
        let options = Options::default().with(option::TRANSFER_SIZE, 0).with(option::BLOCK_SIZE, 1428);
        let request = Packet::Read(Request::octet("boot.wim", options));
        assert_eq!(request.encode(), b"\0\x01boot.wim\0octet\0tsize\x000\0blksize\x001428\0");
    }

    #[test]
    fn an_error_without_its_final_zero_is_still_an_error() {
        assert_eq!(Packet::decode(b"\0\x05\0\x01gone"), Ok(Packet::error(1, "gone")));
    }

    #[test]
    fn an_endless_error_message_is_cut() {
        let endless = [b"\0\x05\0\x00".as_slice(), vec![b'x'; 60_000].as_slice()].concat();
        let Ok(Packet::Error { message, .. }) = Packet::decode(&endless) else { panic!("an error") };
        assert_eq!(message.len(), LONGEST_TEXT);
    }

    #[test]
    fn option_names_are_found_in_any_case_and_numbers_are_strict() {
        let options = Options(
            [("BlkSize", "512"), ("tsize", "+5"), ("windowsize", "")].map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        );
        assert_eq!(options.number(option::BLOCK_SIZE), Some(512));
        assert_eq!(options.number(option::TRANSFER_SIZE), None);
        assert_eq!(options.number(option::WINDOW_SIZE), None);
    }

    #[test]
    fn an_option_without_a_value_is_refused() {
        assert_eq!(Packet::decode(b"\0\x06tsize\0"), Err(BadPacket::Unended));
    }

    #[test]
    fn an_acknowledgement_with_more_behind_it_is_refused() {
        assert_eq!(Packet::decode(b"\0\x04\0\x01\0"), Err(BadPacket::Trailing));
    }

    #[test]
    fn the_echo_is_no_longer_than_the_request_for_it() {
        let token = Token::random();
        let request = Packet::Read(Request::octet(token.labelled(), Options::default().with(option::TRANSFER_SIZE, 0)));
        let answer = Packet::error(error::FILE_NOT_FOUND, echo(&token));
        assert!(answer.encode().len() <= request.encode().len());
    }
}
