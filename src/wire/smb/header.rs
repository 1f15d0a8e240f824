//! The 64 bytes with which every SMB2 message begins (MS-SMB2 2.2.1), and the body of a refusal (2.2.2).

use super::Malformed;
use super::cut::Cut;

/// Bytes of a [`Header`].
pub const LENGTH: usize = 64;
const MAGIC: [u8; 4] = *b"\xFESMB";
const STRUCTURE: u16 = 64;

/// The commands that are spoken here (MS-SMB2 2.2.1.2).
pub mod command {
    pub const NEGOTIATE: u16 = 0;
    pub const SESSION_SETUP: u16 = 1;
    pub const TREE_CONNECT: u16 = 3;
}

/// The server sent this message.
pub const FLAG_RESPONSE: u32 = 0x0000_0001;
/// An interim or late answer; the tree's place holds half of an asynchronous id.
pub const FLAG_ASYNC: u32 = 0x0000_0002;

/// The header of an unsigned message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    pub credit_charge: u16,
    /// The NT status of a response; zero in requests.
    pub status: u32,
    pub command: u16,
    /// Credits asked for, or granted.
    pub credits: u16,
    pub flags: u32,
    pub message_id: u64,
    pub tree_id: u32,
    pub session_id: u64,
}

impl Header {
    /// The header of a request.
    #[must_use]
    pub fn request(command: u16, message_id: u64, session_id: u64) -> Self {
        Self { command, message_id, session_id, credits: 31, credit_charge: 1, ..Self::default() }
    }

    /// The header of the answer to this request.
    #[must_use]
    pub fn answer(&self, status: u32) -> Self {
        Self { status, flags: FLAG_RESPONSE, credits: self.credits.clamp(1, 32), ..*self }
    }

    /// Whether a server sent it as its final answer.
    #[must_use]
    pub fn is_final_response(&self) -> bool {
        self.flags & FLAG_RESPONSE != 0 && self.status != super::status::PENDING
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(MAGIC);
        out.extend(STRUCTURE.to_le_bytes());
        out.extend(self.credit_charge.to_le_bytes());
        out.extend(self.status.to_le_bytes());
        out.extend(self.command.to_le_bytes());
        out.extend(self.credits.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend([0; 4]); // NextCommand: messages are never chained here.
        out.extend(self.message_id.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.tree_id.to_le_bytes());
        out.extend(self.session_id.to_le_bytes());
        out.extend([0; 16]); // Signature
    }

    /// Reads the header of a message.
    ///
    /// # Errors
    /// It is too short, or no SMB2 header.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::new(message);
        if cut.array()? != MAGIC {
            return Err(Malformed("it does not begin with FE 'SMB'"));
        }
        cut.structure(STRUCTURE)?;
        let (credit_charge, status, command, credits) = (cut.u16()?, cut.u32()?, cut.u16()?, cut.u16()?);
        let (flags, _next) = (cut.u32()?, cut.u32()?);
        let (message_id, _reserved, tree_id, session_id) = (cut.u64()?, cut.u32()?, cut.u32()?, cut.u64()?);
        let _signature: [u8; 16] = cut.array()?;
        Ok(Self { credit_charge, status, command, credits, flags, message_id, tree_id, session_id })
    }
}

/// A whole message with this header and body.
pub(super) fn message(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH + body.len());
    header.encode(&mut bytes);
    bytes.extend(body);
    bytes
}

/// A whole message that refuses: the header holds the status (MS-SMB2 2.2.2).
#[must_use]
pub fn refusal(header: &Header) -> Vec<u8> {
    message(header, &[9, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn headers()(
            (credit_charge, command, credits) in any::<(u16, u16, u16)>(),
            (status, flags, tree_id) in any::<(u32, u32, u32)>(),
            (message_id, session_id) in any::<(u64, u64)>(),
        ) -> Header {
            Header { credit_charge, status, command, credits, flags, message_id, tree_id, session_id }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Header::decode(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(header in headers()) {
            prop_assert_eq!(Header::decode(&message(&header, &[])), Ok(header));
        }
    }

    #[test]
    fn a_header_is_64_bytes() {
        assert_eq!(message(&Header::default(), &[]).len(), LENGTH);
    }
}
