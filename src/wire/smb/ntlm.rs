//! The three messages of an NTLM login without a user (MS-NLMP 2.2.1) and their SPNEGO wrapping (RFC 4178 4.2),
//! as far as a server's refusal or an anonymous session needs them. Passwords are never handled here.

use super::Malformed;
use super::cut::{Cut, length16, utf16};

const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";

/// Which of the three messages it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Negotiate,
    Challenge,
    Authenticate,
}

mod flag {
    pub const UNICODE: u32 = 0x0000_0001;
    pub const REQUEST_TARGET: u32 = 0x0000_0004;
    pub const NTLM: u32 = 0x0000_0200;
    pub const ANONYMOUS: u32 = 0x0000_0800;
    pub const ALWAYS_SIGN: u32 = 0x0000_8000;
    pub const TARGET_SERVER: u32 = 0x0002_0000;
    pub const EXTENDED_SECURITY: u32 = 0x0008_0000;
    pub const TARGET_INFO: u32 = 0x0080_0000;
    pub const KEY_128: u32 = 0x2000_0000;
    pub const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub const KEY_56: u32 = 0x8000_0000;
}

/// The NTLM message in a login token, wherever SPNEGO wraps it.
#[must_use]
pub fn find(token: &[u8]) -> Option<(Message, &[u8])> {
    let at = token.windows(SIGNATURE.len()).position(|window| window == SIGNATURE)?;
    let ntlm = &token[at..];
    let message = match Cut::at(ntlm, 8).and_then(|mut cut| cut.u32()) {
        Ok(1) => Message::Negotiate,
        Ok(2) => Message::Challenge,
        Ok(3) => Message::Authenticate,
        _ => return None,
    };
    Some((message, ntlm))
}

/// The first message: what the client can do.
#[must_use]
pub fn negotiate() -> Vec<u8> {
    let flags = flag::UNICODE | flag::REQUEST_TARGET | flag::NTLM | flag::ALWAYS_SIGN | flag::EXTENDED_SECURITY;
    let mut bytes = begin(1);
    bytes.extend(flags.to_le_bytes());
    bytes.extend([0; 16]); // no domain, no workstation
    bytes
}

/// The last message, of nobody (MS-NLMP 3.2.5.1.2): no name, no proof.
///
/// # Errors
/// `challenge` is not the server's NTLM message.
pub fn authenticate_as_nobody(challenge: &[u8]) -> Result<Vec<u8>, Malformed> {
    let Some((Message::Challenge, ntlm)) = find(challenge) else {
        return Err(Malformed("the login has no NTLM challenge"));
    };
    let offered = Cut::at(ntlm, 20)?.u32()?;
    let flags = (offered & !(flag::KEY_EXCHANGE | flag::TARGET_INFO | flag::TARGET_SERVER)) | flag::ANONYMOUS;
    let payload_at: u32 = 64;
    let mut bytes = begin(3);
    bytes.extend(field(1, payload_at)); // LmChallengeResponse: one zero byte says nobody
    for _ in 0..5 {
        bytes.extend(field(0, payload_at + 1));
    }
    bytes.extend(flags.to_le_bytes());
    bytes.push(0);
    Ok(bytes)
}

/// The server's message: a random challenge and who it is.
#[must_use]
pub fn challenge(random: [u8; 8], name: &str) -> Vec<u8> {
    let flags = flag::UNICODE
        | flag::REQUEST_TARGET
        | flag::NTLM
        | flag::ALWAYS_SIGN
        | flag::TARGET_SERVER
        | flag::EXTENDED_SECURITY
        | flag::TARGET_INFO
        | flag::KEY_128
        | flag::KEY_EXCHANGE
        | flag::KEY_56;
    let target = utf16(name);
    let about: Vec<u8> = [1u16, 2, 3, 4].iter().flat_map(|id| pair(*id, &target)).chain(pair(0, &[])).collect();
    let payload_at: u32 = 56;
    let about_at = payload_at + u32::from(length16(target.len()));
    let mut bytes = begin(2);
    bytes.extend(field(target.len(), payload_at));
    bytes.extend(flags.to_le_bytes());
    bytes.extend(random);
    bytes.extend([0; 8]);
    bytes.extend(field(about.len(), about_at));
    bytes.extend([10, 0, 0, 0, 0, 0, 0, 15]); // Version
    bytes.extend(target);
    bytes.extend(about);
    bytes
}

fn begin(kind: u32) -> Vec<u8> {
    [&SIGNATURE[..], &kind.to_le_bytes()].concat()
}

fn field(length: usize, offset: u32) -> Vec<u8> {
    let length = length16(length).to_le_bytes();
    [&length[..], &length, &offset.to_le_bytes()].concat()
}

fn pair(id: u16, value: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &length16(value.len()).to_le_bytes(), value].concat()
}

/// SPNEGO, in the distinguished encoding that it is written in.
pub mod spnego {
    const SPNEGO: &[u8] = &[0x06, 0x06, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x02];
    const NTLM: &[u8] = &[0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A];

    /// A server's first token: NTLM is the one way to log in.
    #[must_use]
    pub fn offer() -> Vec<u8> {
        let ways = tlv(0xA0, &tlv(0x30, NTLM));
        tlv(0x60, &[SPNEGO, &tlv(0xA0, &tlv(0x30, &ways))].concat())
    }

    /// A server's token in the middle of a login: carry on with `ntlm`.
    #[must_use]
    pub fn carry_on(ntlm: &[u8]) -> Vec<u8> {
        let state = tlv(0xA0, &[0x0A, 0x01, 0x01]);
        let parts = [&state[..], &tlv(0xA1, NTLM), &tlv(0xA2, &tlv(0x04, ntlm))].concat();
        tlv(0xA1, &tlv(0x30, &parts))
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = super::length16(content.len());
        let [high, low] = length.to_be_bytes();
        let mut bytes = vec![tag];
        match length {
            0..0x80 => bytes.push(low),
            0x80..0x100 => bytes.extend([0x81, low]),
            _ => bytes.extend([0x82, high, low]),
        }
        bytes.extend(content);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_token_is_read_or_refused(before in vec(any::<u8>(), 0..40), after in vec(any::<u8>(), 0..40)) {
            let token = [&before[..], &SIGNATURE, &after].concat();
            let _ = (find(&token), authenticate_as_nobody(&token));
            let _ = (find(&before), authenticate_as_nobody(&before));
        }
    }

    #[test]
    fn the_messages_are_found_within_spnego() {
        let challenge = challenge([7; 8], "BOTHWAYS");
        let wrapped = spnego::carry_on(&challenge);
        assert_eq!(find(&wrapped), Some((Message::Challenge, &challenge[..])));
        assert_eq!(find(&negotiate()).map(|(message, _)| message), Some(Message::Negotiate));
        let last = authenticate_as_nobody(&wrapped).expect("a challenge");
        assert_eq!(find(&last).map(|(message, _)| message), Some(Message::Authenticate));
        assert_eq!(find(&spnego::offer()), None);
    }
}
