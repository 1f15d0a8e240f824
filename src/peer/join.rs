//! Join codes: one line that tells the other side where a listener is, how to know it, and that it may come in.
//!
//! `bothways1.` and base64url of: expiry (8 bytes, seconds since 1970), token (16), SHA-256 of the certificate (32), port
//! (2), all big-endian, then the addresses, each as its length and its text; another port of the listener stands among them
//! as `:` and its number. The token is a secret: whoever holds the line may join until it expires.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a joining side needs.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinCode {
    /// Where the listener may be reached, the likeliest first.
    pub hosts: Vec<String>,
    pub port: u16,
    /// Another port of it, where the first is one that the flows use: what blocks them is not to keep the two sides apart.
    pub other_port: Option<u16>,
    /// SHA-256 of the listener's certificate.
    pub fingerprint: [u8; 32],
    pub token: [u8; 16],
    /// Seconds since 1970.
    pub expires: u64,
}

/// Why a text is not a join code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    #[error(
        "this is not a join code: it does not begin with `{PREFIX}`; copy the whole line that `bothways listen` printed"
    )]
    Foreign,
    #[error("the join code is damaged: copy the whole line that `bothways listen` printed")]
    Damaged,
}

/// What every join code begins with.
pub const PREFIX: &str = "bothways1.";

const FIXED: usize = 8 + 16 + 32 + 2;

impl JoinCode {
    /// Puts hosts first that the joining side's profile names, so that the two sides meet at the address, and in the family,
    /// by which its flows go.
    pub fn prefer(&mut self, named: &[&str]) {
        self.hosts.sort_by_key(|host| !named.contains(&host.as_str()));
    }

    /// The listener's ports, the one to be tried first before the other.
    pub fn ports(&self) -> impl Iterator<Item = u16> + use<> {
        [Some(self.port), self.other_port].into_iter().flatten()
    }
}

impl fmt::Display for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(FIXED + 64);
        bytes.extend(self.expires.to_be_bytes());
        bytes.extend(self.token);
        bytes.extend(self.fingerprint);
        bytes.extend(self.port.to_be_bytes());
        let other_port = self.other_port.map(|port| format!(":{port}"));
        for text in self.hosts.iter().chain(&other_port).filter(|text| text.len() < 256) {
            bytes.push(u8::try_from(text.len()).unwrap_or_default());
            bytes.extend(text.as_bytes());
        }
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinCode").field("hosts", &self.hosts).field("port", &self.port).finish_non_exhaustive()
    }
}

impl FromStr for JoinCode {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        let body = text.trim().strip_prefix(PREFIX).ok_or(BadCode::Foreign)?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| BadCode::Damaged)?;
        let (fixed, mut rest) = bytes.split_at_checked(FIXED).ok_or(BadCode::Damaged)?;
        let (mut hosts, mut other_port) = (Vec::new(), None);
        while let [length, after @ ..] = rest {
            let (host, after) = after.split_at_checked(usize::from(*length)).ok_or(BadCode::Damaged)?;
            let text = String::from_utf8(host.to_vec()).map_err(|_| BadCode::Damaged)?;
            match text.strip_prefix(':').and_then(|port| port.parse().ok()) {
                Some(port) => other_port = Some(port),
                None => hosts.push(text),
            }
            rest = after;
        }
        if hosts.is_empty() {
            return Err(BadCode::Damaged);
        }
        Ok(Self {
            hosts,
            expires: u64::from_be_bytes(array(&fixed[..8])?),
            token: array(&fixed[8..24])?,
            fingerprint: array(&fixed[24..56])?,
            port: u16::from_be_bytes(array(&fixed[56..])?),
            other_port,
        })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], BadCode> {
    bytes.try_into().map_err(|_| BadCode::Damaged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_reads_back_as_it_was(hosts in prop::collection::vec("[a-z0-9][a-z0-9.:]{0,40}", 1..4), port: u16, other_port: Option<u16>, expires: u64, token: [u8; 16], fingerprint: [u8; 32]) {
            let code = JoinCode { hosts, port, other_port, fingerprint, token, expires };
            prop_assert_eq!(code.to_string().parse::<JoinCode>(), Ok(code));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = text.parse::<JoinCode>();
            let _ = format!("{PREFIX}{text}").parse::<JoinCode>();
        }
    }

    #[test]
    fn a_host_that_the_profile_names_is_tried_first() {
        let hosts = ["10.9.2.2", "fd09:2::2", "10.9.3.2"].map(str::to_owned).to_vec();
        let mut code = JoinCode { hosts, port: 1, other_port: None, fingerprint: [7; 32], token: [9; 16], expires: 0 };
        code.prefer(&["fd09:2::2", "elsewhere"]);
        assert_eq!(code.hosts, ["fd09:2::2", "10.9.2.2", "10.9.3.2"]);
    }

    #[test]
    fn a_code_shows_no_token_when_it_is_debugged() {
        let code = JoinCode {
            hosts: vec!["a".into()],
            port: 1,
            other_port: None,
            fingerprint: [7; 32],
            token: [9; 16],
            expires: 0,
        };
        assert!(!format!("{code:?}").contains('9'));
    }
}
