//! SMB file shares on the wire, as far as a login without a signature needs it (MS-SMB2, MS-SMB, RFC 1002, MS-NLMP).
//!
//! Every message is a whole one: header and body, without the four bytes of framing ([`frame`]). Signing, encryption and
//! compression are left to the asking half's library; dialling, waiting and judging to others.

mod cut;
pub mod frame;
pub mod header;
pub mod negotiate;
pub mod ntlm;
pub mod session;
pub mod smb1;
pub mod status;

use crate::model::token::Token;

/// TCP port of SMB directly over TCP (MS-SMB2 2.1).
pub const PORT: u16 = 445;
/// TCP port of SMB over a NetBIOS session (RFC 1002 4.3).
pub const NETBIOS_PORT: u16 = 139;

/// Bytes that are not the message they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a readable SMB message: {0}")]
pub struct Malformed(pub &'static str);

/// The 16 bytes by which clients and servers name themselves in NEGOTIATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    const MARK: [u8; 8] = *b"bothways";

    /// The GUID of a probe with this token, and of the responder that answers it.
    #[must_use]
    pub fn carrying(token: &Token) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&Self::MARK);
        bytes[8..].copy_from_slice(&token.bytes());
        Self(bytes)
    }

    /// The GUID of a responder that was asked by something else than a probe.
    #[must_use]
    pub fn plain() -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&Self::MARK);
        Self(bytes)
    }

    /// The token in a GUID made by [`Guid::carrying`].
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        let (mark, token) = self.0.split_first_chunk::<8>()?;
        let token: [u8; 8] = token.try_into().ok()?;
        (*mark == Self::MARK && token != [0; 8]).then(|| Token::from_bytes(token))
    }
}

impl std::fmt::Display for Guid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        uuid::Uuid::from_bytes_le(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_carries_a_token_there_and_back() {
        let token = Token::random();
        assert_eq!(Guid::carrying(&token).token(), Some(token));
    }

    #[test]
    fn a_guid_without_the_mark_or_without_a_token_carries_none() {
        assert_eq!(Guid::plain().token(), None);
        assert_eq!(Guid([7; 16]).token(), None);
    }

    #[test]
    fn a_guid_is_written_as_windows_writes_it() {
        let guid = Guid([0x78, 0x56, 0x34, 0x12, 0xBC, 0x9A, 0xF0, 0xDE, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(guid.to_string(), "12345678-9abc-def0-0102-030405060708");
    }
}
