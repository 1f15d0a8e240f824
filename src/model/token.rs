//! The token that a probe carries so that the far side can tell it from a stranger's traffic.

use std::fmt;

use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::Role;

/// Sixteen lower-case hexadecimal digits, different for every probe of every run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The HTTP header that carries a token, in requests and in a responder's answer.
    pub const HEADER: &'static str = "x-bothways-token";
    /// The HTTP header in which a responder names the digest of its page, so that changes on the way show.
    pub const PAGE_HEADER: &'static str = "x-bothways-page";
    /// What precedes the token wherever a protocol has only a free text field.
    pub const PREFIX: &'static str = "bothways-";
    /// What a responder says first where the protocol carries no token: it tells a responder from anything else that accepts.
    pub const GREETING: &'static str = "bothways responder\r\n";

    /// What precedes the word by which a peer shows an address that is not known as its own.
    pub const INTRODUCTION: &'static str = "bothways: this is me, by the word ";

    #[must_use]
    pub fn random() -> Self {
        let word = uuid::Uuid::new_v4().as_u128();
        #[expect(clippy::cast_possible_truncation, reason = "half of the random bits are enough")]
        let half = (word >> 64) as u64 ^ word as u64;
        Self(format!("{half:016x}"))
    }

    /// The token of one probe of a run whose sides agreed on a word: the same on every side that has the same profile.
    #[must_use]
    pub fn derive(word: &Word, check: &str, from: &Role, to: &Role, endpoint: &str) -> Self {
        word.token(&["token", check, from.as_str(), to.as_str(), endpoint])
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

    /// The digest of a page, as the header has it.
    #[must_use]
    pub fn digest(page: &[u8]) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, page);
        Self::from_bytes(digest.as_ref().first_chunk().copied().unwrap_or_default()).0
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

/// The word that the sides of one run agree on where no control channel joins them. It tells runs apart and is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

/// A run word without letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run word must not be empty: take any word that all sides of the run then use")]
pub struct NoWord;

impl Word {
    /// The same word in other letter case or between blanks is the same: people tell it each other on the phone.
    ///
    /// # Errors
    /// [`NoWord`] where nothing is left.
    pub fn new(text: &str) -> Result<Self, NoWord> {
        let text = text.trim().to_lowercase();
        if text.is_empty() { Err(NoWord) } else { Ok(Self(text)) }
    }

    /// What a run record says of its word.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.token(&["word"]).to_string()
    }

    /// The first eight bytes of an HMAC-SHA256 under the word, over the parts, each after its length.
    fn token(&self, parts: &[&str]) -> Token {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes()));
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        Token::from_bytes(tag.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl std::str::FromStr for Word {
    type Err = NoWord;

    fn from_str(text: &str) -> Result<Self, NoWord> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(word: &str, check: &str, from: &str, endpoint: &str) -> Token {
        let word = Word::new(word).expect("a word");
        Token::derive(&word, check, &Role::new(from), &Role::new("server"), endpoint)
    }

    #[test]
    fn a_derived_token_is_the_same_on_every_side_and_in_every_version() {
        assert_eq!(token("blue", "job-query", "client", "server").as_str(), "c36701264114f310");
        assert_eq!(token(" Blue ", "job-query", "client", "server"), token("blue", "job-query", "client", "server"));
    }

    #[test]
    fn every_part_tells_tokens_apart() {
        let one = token("blue", "job-query", "client", "server");
        for other in [
            token("green", "job-query", "client", "server"),
            token("blue", "inventory", "client", "server"),
            token("blue", "job-query", "boot-server", "server"),
            token("blue", "job-query", "client", "server-2"),
            token("blue", "job-quer", "yclient", "server"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_word_must_have_letters() {
        assert_eq!(Word::new(" \t"), Err(NoWord));
    }
}
