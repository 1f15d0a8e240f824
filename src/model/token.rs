//! The token that a probe carries so that the far side can tell it from a stranger's traffic.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sixteen lower-case hexadecimal digits, different for every probe of every run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The HTTP header that carries a token, in requests and in a responder's answer.
    pub const HEADER: &'static str = "x-bothways-token";
    /// What precedes the token wherever a protocol has only a free text field.
    pub const PREFIX: &'static str = "bothways-";
    /// What a responder says first where the protocol carries no token: it tells a responder from anything else that accepts.
    pub const GREETING: &'static str = "bothways responder\r\n";

    #[must_use]
    pub fn random() -> Self {
        let word = uuid::Uuid::new_v4().as_u128();
        #[expect(clippy::cast_possible_truncation, reason = "half of the random bits are enough")]
        let half = (word >> 64) as u64 ^ word as u64;
        Self(format!("{half:016x}"))
    }

    /// Takes a token out of a text field that carries `bothways-` and the token.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let rest = &text[text.find(Self::PREFIX)? + Self::PREFIX.len()..];
        Self::parse(rest.get(..16)?)
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 16 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `bothways-` and the token, for free text fields.
    #[must_use]
    pub fn labelled(&self) -> String {
        format!("{}{}", Self::PREFIX, self.0)
    }

    /// The eight bytes of the token, for binary fields.
    #[must_use]
    pub fn bytes(&self) -> [u8; 8] {
        u64::from_str_radix(&self.0, 16).unwrap_or_default().to_be_bytes()
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
