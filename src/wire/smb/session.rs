//! `SESSION_SETUP` and `TREE_CONNECT`: a login, and a share (MS-SMB2 2.2.5, 2.2.6, 2.2.9 and 2.2.10).

use super::Malformed;
use super::cut::{Cut, length16, part, utf16};
use super::header::{self, Header};

/// The login counts as a guest's.
pub const FLAG_GUEST: u16 = 0x0001;
/// The login counts as nobody's.
pub const FLAG_NULL: u16 = 0x0002;

/// One round of a login, from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupRequest {
    pub security_mode: u8,
    /// SPNEGO or bare NTLM.
    pub token: Vec<u8>,
}

/// One round of a login, from the server; the header holds the status and the session's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupResponse {
    pub flags: u16,
    pub token: Vec<u8>,
}

/// A share that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeResponse {
    /// 1 disk, 2 pipe, 3 printer.
    pub kind: u8,
    pub flags: u32,
    pub capabilities: u32,
    pub access: u32,
}

impl SetupRequest {
    /// A whole message.
    #[must_use]
    pub fn encode(&self, head: &Header) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(25u16.to_le_bytes());
        body.extend([0, self.security_mode]);
        body.extend([0; 8]); // Capabilities, Channel
        body.extend(length16(header::LENGTH + 24).to_le_bytes());
        body.extend(length16(self.token.len()).to_le_bytes());
        body.extend([0; 8]); // PreviousSessionId
        body.extend(&self.token);
        header::message(head, &body)
    }

    /// Reads a whole message.
    ///
    /// # Errors
    /// It is too short, or not built as the specification says.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::at(message, header::LENGTH)?;
        cut.structure(25)?;
        let (_flags, security_mode, _capabilities, _channel) = (cut.u8()?, cut.u8()?, cut.u32()?, cut.u32()?);
        let (offset, length) = (cut.u16()?, cut.u16()?);
        Ok(Self { security_mode, token: part(message, offset, length)?.to_vec() })
    }
}

impl SetupResponse {
    /// A whole message.
    #[must_use]
    pub fn encode(&self, head: &Header) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(9u16.to_le_bytes());
        body.extend(self.flags.to_le_bytes());
        body.extend(length16(header::LENGTH + 8).to_le_bytes());
        body.extend(length16(self.token.len()).to_le_bytes());
        body.extend(&self.token);
        header::message(head, &body)
    }

    /// Reads a whole message.
    ///
    /// # Errors
    /// It is too short, or not built as the specification says (a refusal is not: see its header's status first).
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::at(message, header::LENGTH)?;
        cut.structure(9)?;
        let (flags, offset, length) = (cut.u16()?, cut.u16()?, cut.u16()?);
        Ok(Self { flags, token: part(message, offset, length)?.to_vec() })
    }

    /// Whether the login counts as a guest's or nobody's.
    #[must_use]
    pub fn is_guest_or_nobody(&self) -> bool {
        self.flags & (FLAG_GUEST | FLAG_NULL) != 0
    }
}

/// A host as it is written in such paths, where an IPv6 address may have no colons.
#[must_use]
pub fn unc_host(host: &str) -> String {
    if host.contains(':') {
        format!("{}.ipv6-literal.net", host.replace(':', "-").replace('%', "s"))
    } else {
        host.to_owned()
    }
}

/// A whole message that asks for `\\host\share`.
#[must_use]
pub fn tree_request(head: &Header, host: &str, share: &str) -> Vec<u8> {
    let path = utf16(&format!("\\\\{}\\{share}", unc_host(host)));
    let mut body = Vec::new();
    body.extend(9u16.to_le_bytes());
    body.extend([0; 2]);
    body.extend(length16(header::LENGTH + 8).to_le_bytes());
    body.extend(length16(path.len()).to_le_bytes());
    body.extend(path);
    header::message(head, &body)
}

/// The path that a `TREE_CONNECT` asks for.
///
/// # Errors
/// It is too short, or not built as the specification says.
pub fn tree_path(message: &[u8]) -> Result<String, Malformed> {
    let mut cut = Cut::at(message, header::LENGTH)?;
    cut.structure(9)?;
    let (_flags, offset, length) = (cut.u16()?, cut.u16()?, cut.u16()?);
    let units = part(message, offset, length)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Ok(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

impl TreeResponse {
    /// A whole message.
    #[must_use]
    pub fn encode(&self, head: &Header) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(16u16.to_le_bytes());
        body.extend([self.kind, 0]);
        for number in [self.flags, self.capabilities, self.access] {
            body.extend(number.to_le_bytes());
        }
        header::message(head, &body)
    }

    /// Reads a whole message.
    ///
    /// # Errors
    /// It is too short, or not built as the specification says.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::at(message, header::LENGTH)?;
        cut.structure(16)?;
        let (kind, _reserved) = (cut.u8()?, cut.u8()?);
        Ok(Self { kind, flags: cut.u32()?, capabilities: cut.u32()?, access: cut.u32()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ipv6_address_is_written_without_colons() {
        assert_eq!(unc_host("fd00::7"), "fd00--7.ipv6-literal.net");
        assert_eq!(unc_host("files.example"), "files.example");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            let _ = SetupRequest::decode(&bytes);
            let _ = SetupResponse::decode(&bytes);
            let _ = TreeResponse::decode(&bytes);
            let _ = tree_path(&bytes);
        }

        #[test]
        fn a_login_round_is_read_as_it_was_written(security_mode: u8, flags: u16, token in vec(any::<u8>(), 0..200)) {
            let request = SetupRequest { security_mode, token: token.clone() };
            prop_assert_eq!(SetupRequest::decode(&request.encode(&Header::default())), Ok(request));
            let response = SetupResponse { flags, token };
            prop_assert_eq!(SetupResponse::decode(&response.encode(&Header::default())), Ok(response));
        }

        #[test]
        fn a_share_is_read_as_it_was_written(host in "[a-z0-9.]{1,40}", share in "\\PC{1,40}", kind: u8, access: u32) {
            let request = tree_request(&Header::default(), &host, &share);
            prop_assert_eq!(tree_path(&request), Ok(format!("\\\\{host}\\{share}")));
            let response = TreeResponse { kind, flags: 8, capabilities: 0, access };
            prop_assert_eq!(TreeResponse::decode(&response.encode(&Header::default())), Ok(response));
        }
    }
}
