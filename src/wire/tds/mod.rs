//! TDS (MS-TDS): the packets that carry every message, and as much of the messages as the login stage needs.
//!
//! [`prelogin`] says what both sides want, [`login`] is what follows; the TLS that runs between the two inside packets is
//! `net::tds`. Nothing after the login is read or written here.

pub mod login;
pub mod prelogin;

/// The length of a packet's header (MS-TDS 2.2.3.1).
pub const HEADER: usize = 8;
/// The longest packet before a login has agreed on another length.
pub const PACKET: usize = 4096;
/// The protocol's name in a TLS handshake that comes before everything else (TDS 8.0).
pub const ALPN: &[u8] = b"tds/8.0";
/// The first byte of a TLS handshake: what a TDS 8.0 client sends instead of a packet.
pub const TLS_FIRST: u8 = 0x16;
/// The first byte with which TLS gives up: what a server that wants TLS first may answer to a packet.
pub const TLS_ALERT: u8 = 0x15;

/// What a packet is part of (MS-TDS 2.2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything that a server says, also its answer to a PRELOGIN.
    Reply = 0x04,
    Login7 = 0x10,
    /// A client's PRELOGIN, and TLS in both directions.
    Prelogin = 0x12,
}

/// Why bytes are not TDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTds {
    #[error("a packet of another kind ({0:#04x})")]
    OtherKind(u8),
    #[error("a packet shorter than its own header")]
    ShortPacket,
    #[error("a message that is too long")]
    LongMessage,
    #[error("an option that points outside of the message")]
    OptionOutside,
    #[error("options without an end")]
    NoEnd,
    #[error("no version, or no encryption answer")]
    Incomplete,
    #[error("a login shorter than its fixed part")]
    ShortLogin,
}

const END_OF_MESSAGE: u8 = 0x01;

/// The header of a packet with `length` bytes of content.
#[must_use]
pub fn header(kind: Kind, last: bool, number: u8, length: usize) -> [u8; HEADER] {
    let total = u16::try_from(length + HEADER).unwrap_or(u16::MAX).to_be_bytes();
    [kind as u8, if last { END_OF_MESSAGE } else { 0 }, total[0], total[1], 0, 0, number, 0]
}

/// Checks a packet's header and gives the length of its content and whether the message ends with it.
///
/// # Errors
/// [`NotTds`] where it is of another kind, or shorter than itself.
pub fn content(header: [u8; HEADER], kind: Kind) -> Result<(usize, bool), NotTds> {
    if header[0] != kind as u8 {
        return Err(NotTds::OtherKind(header[0]));
    }
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let length = total.checked_sub(HEADER).ok_or(NotTds::ShortPacket)?;
    Ok((length, header[1] & END_OF_MESSAGE != 0))
}

/// One message as packets of at most [`PACKET`] bytes.
#[must_use]
pub fn packets(kind: Kind, body: &[u8]) -> Vec<u8> {
    let room = PACKET - HEADER;
    let count = body.len().div_ceil(room).max(1);
    let mut bytes = Vec::with_capacity(body.len() + count * HEADER);
    for (index, part) in body.chunks(room).chain(body.is_empty().then_some(&[][..])).enumerate() {
        #[expect(clippy::cast_possible_truncation, reason = "packet numbers count modulo 256 (2.2.3.1.5)")]
        let number = (index + 1) as u8;
        bytes.extend_from_slice(&header(kind, index + 1 == count, number, part.len()));
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The first message in `bytes`, without its packet headers; `None` where more bytes are needed.
///
/// # Errors
/// [`NotTds`] as soon as the bytes can't become a message of this kind, or one of more than `most` bytes.
pub fn message(mut bytes: &[u8], kind: Kind, most: usize) -> Result<Option<Vec<u8>>, NotTds> {
    if let Some(other) = bytes.first().filter(|first| **first != kind as u8) {
        return Err(NotTds::OtherKind(*other));
    }
    let mut body = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<HEADER>() {
        let (length, last) = content(*head, kind)?;
        if body.len() + length > most {
            return Err(NotTds::LongMessage);
        }
        let Some(part) = rest.get(..length) else { return Ok(None) };
        body.extend_from_slice(part);
        if last {
            return Ok(Some(body));
        }
        // A packet without content that does not end the message would let a peer keep a reader busy for nothing.
        if length == 0 {
            return Err(NotTds::ShortPacket);
        }
        bytes = &rest[length..];
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_in_packets_is_read_back(body in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let bytes = packets(Kind::Reply, &body);
            prop_assert_eq!(message(&bytes, Kind::Reply, 20_000), Ok(Some(body)));
        }

        #[test]
        fn a_part_of_a_message_is_never_taken_for_all_of_it(body in proptest::collection::vec(any::<u8>(), 0..9_000), cut in 0usize..9_000) {
            let bytes = packets(Kind::Reply, &body);
            let cut = cut.min(bytes.len() - 1);
            prop_assert_eq!(message(&bytes[..cut], Kind::Reply, 20_000), Ok(None));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = message(&bytes, Kind::Reply, 1000);
        }
    }

    #[test]
    fn a_message_beyond_the_limit_is_refused_by_its_header_alone() {
        let head = header(Kind::Reply, true, 1, 2000);
        assert_eq!(message(&head, Kind::Reply, 1999), Err(NotTds::LongMessage));
    }

    #[test]
    fn one_wrong_byte_is_enough_to_know_that_it_is_not_tds() {
        assert_eq!(message(b"H", Kind::Reply, 1000), Err(NotTds::OtherKind(b'H')));
    }
}
