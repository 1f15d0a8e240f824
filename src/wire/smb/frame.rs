//! The four bytes before every message: SMB directly over TCP (MS-SMB2 2.1) and NetBIOS sessions (RFC 1002 4.3).

use super::Malformed;

/// Bytes of a [`Head`].
pub const HEAD: usize = 4;

/// What follows the four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An SMB message.
    Message,
    /// NetBIOS: who is called and who calls.
    SessionRequest,
    /// NetBIOS: the called name is here.
    SessionAccepted,
    /// NetBIOS: it is not; one byte says why.
    SessionRefused,
    /// NetBIOS: call another address.
    SessionRetarget,
    /// NetBIOS: nothing.
    KeepAlive,
}

impl Kind {
    const ALL: [(u8, Kind); 6] = [
        (0x00, Kind::Message),
        (0x81, Kind::SessionRequest),
        (0x82, Kind::SessionAccepted),
        (0x83, Kind::SessionRefused),
        (0x84, Kind::SessionRetarget),
        (0x85, Kind::KeepAlive),
    ];

    fn byte(self) -> u8 {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or(0, |(byte, _)| *byte)
    }
}

/// The four bytes before a message: its kind, and its length in bytes (24 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    pub length: usize,
}

impl Head {
    /// Reads the four bytes.
    ///
    /// # Errors
    /// The first byte is none that SMB or NetBIOS sessions know: something else speaks.
    pub fn decode([kind, high, middle, low]: [u8; HEAD]) -> Result<Self, Malformed> {
        let known = Kind::ALL.iter().find(|(byte, _)| *byte == kind);
        let (_, kind) = known.ok_or(Malformed("its first byte is no SMB framing"))?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        Ok(Self { kind: *kind, length: usize::try_from(length).unwrap_or(usize::MAX) })
    }
}

/// Puts the four bytes before a body; what is longer than 24 bits can say is cut off.
#[must_use]
pub fn encode(kind: Kind, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).min(0x00FF_FFFF);
    let [_, high, middle, low] = length.to_be_bytes();
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend([kind.byte(), high, middle, low]);
    bytes.extend(body.iter().take(length as usize));
    bytes
}

/// The frame of one SMB message.
#[must_use]
pub fn message(body: &[u8]) -> Vec<u8> {
    encode(Kind::Message, body)
}

/// The frame that asks for a NetBIOS session with whatever file server is there (RFC 1002 4.3.2, called name `*SMBSERVER`).
#[must_use]
pub fn session_request() -> Vec<u8> {
    let mut body = netbios_name("*SMBSERVER", 0x20);
    body.extend(netbios_name("BOTHWAYS", 0x00));
    encode(Kind::SessionRequest, &body)
}

/// A NetBIOS name in its first-level encoding (RFC 1001 14.1): 15 letters and a suffix, half a byte for each letter.
fn netbios_name(name: &str, suffix: u8) -> Vec<u8> {
    let letters = name.bytes().chain(std::iter::repeat(b' ')).take(15).chain([suffix]);
    let mut bytes = vec![32];
    bytes.extend(letters.flat_map(|letter| [b'A' + (letter >> 4), b'A' + (letter & 0x0F)]));
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_head_is_read_or_refused(bytes: [u8; 4]) {
            let _ = Head::decode(bytes);
        }

        #[test]
        fn a_frame_says_its_length(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = message(&body);
            let head = Head::decode([bytes[0], bytes[1], bytes[2], bytes[3]]);
            prop_assert_eq!(head, Ok(Head { kind: Kind::Message, length: body.len() }));
            prop_assert_eq!(&bytes[4..], &body[..]);
        }
    }

    #[test]
    fn a_session_request_calls_the_wildcard_name() {
        let bytes = session_request();
        assert_eq!(bytes[..4], [0x81, 0, 0, 68]);
        assert_eq!(&bytes[4..38], b"\x20CKFDENECFDEFFCFGEFFCCACACACACACA\0");
    }
}
