//! PRELOGIN, the first message of both sides (MS-TDS 2.2.6.5): versions, encryption, the instance, and a trace id.

use std::fmt;

use super::NotTds;
use crate::model::token::Token;

/// The options of a PRELOGIN, in order; those unknown here are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prelogin {
    options: Vec<(u8, Vec<u8>)>,
}

/// The options' names on the wire (MS-TDS 2.2.6.5, `PL_OPTION_TOKEN`).
pub mod option {
    pub const VERSION: u8 = 0;
    pub const ENCRYPTION: u8 = 1;
    pub const INSTOPT: u8 = 2;
    pub const THREADID: u8 = 3;
    pub const MARS: u8 = 4;
    pub const TRACEID: u8 = 5;
    pub const FEDAUTHREQUIRED: u8 = 6;
    pub const NONCEOPT: u8 = 7;
    /// Not one of the specification's: servers pass over what they don't know, as those did that are older than the ones above.
    pub const PADDING: u8 = 0x60;
    pub const TERMINATOR: u8 = 0xff;
}

/// A version of a client or of SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
    pub build: u16,
    pub sub_build: u16,
}

/// What one side says of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Only the login is encrypted.
    Off = 0,
    On = 1,
    NotSupported = 2,
    Required = 3,
}

/// The first half of the trace id of a probe; the token follows.
const MARK: &[u8; 8] = b"bothways";

impl Prelogin {
    #[must_use]
    pub fn with(mut self, option: u8, value: impl Into<Vec<u8>>) -> Self {
        self.options.push((option, value.into()));
        self
    }

    /// What a probe asks. `instance` is the one that the port must belong to.
    #[must_use]
    pub fn question(encryption: Encryption, instance: Option<&str>, token: &Token) -> Self {
        let version = Version { major: 1, minor: 0, build: 0, sub_build: 0 };
        Self::default()
            .with(option::VERSION, version.bytes())
            .with(option::ENCRYPTION, [encryption as u8])
            .with(option::INSTOPT, instance_bytes(instance.unwrap_or_default()))
            .with(option::THREADID, [0; 4])
            .with(option::MARS, [0])
            .with(option::TRACEID, trace_id(token))
    }

    /// What a server answers to this question; `matches` says whether this is the instance that was asked for.
    #[must_use]
    pub fn answer(&self, version: Version, encryption: Encryption, matches: bool) -> Self {
        let answer = Self::default()
            .with(option::VERSION, version.bytes())
            .with(option::ENCRYPTION, [encryption as u8])
            .with(option::INSTOPT, [u8::from(!matches)])
            .with(option::THREADID, []);
        // As with a real server: the rest only where the client brought it up.
        if self.value(option::MARS).is_some() { answer.with(option::MARS, [0]) } else { answer }
    }

    /// The value of an option.
    #[must_use]
    pub fn value(&self, option: u8) -> Option<&[u8]> {
        self.options.iter().find(|(name, _)| *name == option).map(|(_, value)| value.as_slice())
    }

    #[must_use]
    pub fn version(&self) -> Option<Version> {
        Version::read(self.value(option::VERSION)?)
    }

    #[must_use]
    pub fn encryption(&self) -> Option<Encryption> {
        match self.value(option::ENCRYPTION)? {
            [value] => Encryption::of(*value),
            _ => None,
        }
    }

    /// The instance that a client names; `None` where it names none.
    #[must_use]
    pub fn instance(&self) -> Option<String> {
        let value = self.value(option::INSTOPT)?;
        let name = value.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Whether a server says that it is the instance that was named.
    #[must_use]
    pub fn instance_matches(&self) -> Option<bool> {
        self.value(option::INSTOPT)?.first().map(|byte| *byte == 0)
    }

    /// The token of a probe, from the trace id.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        let (mark, rest) = self.value(option::TRACEID)?.split_first_chunk::<8>()?;
        let (token, _) = rest.split_first_chunk::<8>()?;
        (mark == MARK).then(|| Token::from_bytes(*token))
    }

    /// The message without its packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut offset = self.options.len() * 5 + 1;
        let mut bytes = Vec::with_capacity(offset + 64);
        for (name, value) in &self.options {
            bytes.push(*name);
            bytes.extend_from_slice(&short(offset).to_be_bytes());
            bytes.extend_from_slice(&short(value.len()).to_be_bytes());
            offset += value.len();
        }
        bytes.push(option::TERMINATOR);
        for (_, value) in &self.options {
            bytes.extend_from_slice(value);
        }
        bytes
    }

    /// Reads a message without its packet.
    ///
    /// # Errors
    /// [`NotTds`] where an option points outside of it, or nothing ends the options.
    pub fn decode(body: &[u8]) -> Result<Self, NotTds> {
        let mut options = Vec::new();
        let mut rest = body;
        loop {
            match rest {
                [option::TERMINATOR, ..] => return Ok(Self { options }),
                [name, o1, o2, l1, l2, after @ ..] => {
                    let offset = usize::from(u16::from_be_bytes([*o1, *o2]));
                    let length = usize::from(u16::from_be_bytes([*l1, *l2]));
                    let value = body.get(offset..offset + length).ok_or(NotTds::OptionOutside)?;
                    // Options may overlap: without a bound few bytes could become many.
                    if options.len() >= 32 {
                        return Err(NotTds::NoEnd);
                    }
                    options.push((*name, value.to_vec()));
                    rest = after;
                }
                _ => return Err(NotTds::NoEnd),
            }
        }
    }

    /// Reads a server's answer: what proves that SQL Server, or something that speaks for it, is there.
    ///
    /// # Errors
    /// [`NotTds`] where it is no PRELOGIN, or one without a version or an encryption answer.
    pub fn decode_answer(body: &[u8]) -> Result<(Self, Version, Encryption), NotTds> {
        let answer = Self::decode(body)?;
        let version = answer.version().ok_or(NotTds::Incomplete)?;
        let encryption = answer.encryption().ok_or(NotTds::Incomplete)?;
        Ok((answer, version, encryption))
    }
}

fn short(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A name with the zero that ends it; a zero inside would end it early, so none is kept.
fn instance_bytes(name: &str) -> Vec<u8> {
    name.bytes().filter(|byte| *byte != 0).take(255).chain([0]).collect()
}

/// Connection id and activity id with its sequence number: 36 bytes, of which the first 16 are recognisable.
fn trace_id(token: &Token) -> [u8; 36] {
    let mut id = [0; 36];
    id[..8].copy_from_slice(MARK);
    id[8..16].copy_from_slice(&token.bytes());
    id.copy_within(..16, 16);
    id
}

impl Version {
    #[must_use]
    pub fn bytes(self) -> [u8; 6] {
        let (build, sub) = (self.build.to_be_bytes(), self.sub_build.to_le_bytes());
        [self.major, self.minor, build[0], build[1], sub[0], sub[1]]
    }

    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [major, minor, b1, b2, s1, s2] = *bytes else { return None };
        let (build, sub_build) = (u16::from_be_bytes([b1, b2]), u16::from_le_bytes([s1, s2]));
        Some(Self { major, minor, build, sub_build })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)?;
        if self.sub_build == 0 { Ok(()) } else { write!(f, ".{}", self.sub_build) }
    }
}

impl Encryption {
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Off, Self::On, Self::NotSupported, Self::Required].into_iter().find(|one| *one as u8 == byte)
    }

    /// The word in the record.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::NotSupported => "not-supported",
            Self::Required => "required",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::tds::{Kind, message};

    proptest! {
        #[test]
        fn what_is_written_is_read_back(options in vec((0u8..0xff, vec(any::<u8>(), 0..40)), 0..20)) {
            let prelogin = Prelogin { options };
            prop_assert_eq!(Prelogin::decode(&prelogin.encode()), Ok(prelogin));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..300)) {
            if let Ok(prelogin) = Prelogin::decode(&bytes) {
                let _ = (prelogin.version(), prelogin.encryption(), prelogin.instance(), prelogin.token());
            }
        }

        #[test]
        fn the_token_comes_back(bytes in any::<[u8; 8]>()) {
            let token = Token::from_bytes(bytes);
            let question = Prelogin::question(Encryption::Off, Some("SQLEXPRESS"), &token);
            let read = Prelogin::decode(&question.encode()).expect("our own");
            prop_assert_eq!(read.token(), Some(token));
            prop_assert_eq!(read.instance(), Some("SQLEXPRESS".to_owned()));
        }
    }

    /// MS-TDS 4.1.
    const SAMPLE: [u8; 47] = [
        0x12, 0x01, 0x00, 0x2f, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x06, 0x01, 0x00, 0x20, 0x00, 0x01,
        0x02, 0x00, 0x21, 0x00, 0x01, 0x03, 0x00, 0x22, 0x00, 0x04, 0x04, 0x00, 0x26, 0x00, 0x01, 0xff, 0x09, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0xb8, 0x0d, 0x00, 0x00, 0x01,
    ];

    #[test]
    fn the_sample_of_the_specification_is_understood() {
        let body = message(&SAMPLE, Kind::Prelogin, 1000).expect("TDS").expect("whole");
        let prelogin = Prelogin::decode(&body).expect("a PRELOGIN");
        assert_eq!(prelogin.version(), Some(Version { major: 9, minor: 0, build: 0, sub_build: 0 }));
        assert_eq!(prelogin.encryption(), Some(Encryption::On));
        assert_eq!(prelogin.instance(), None);
        assert_eq!(prelogin.value(option::MARS), Some(&[1][..]));
        assert_eq!(prelogin.encode(), body);
    }

    /// As SQL Server 2008 R2 (10.50.2500) answers: the bytes that nmap knows it by, with encryption off.
    const ANSWER: [u8; 37] = [
        0x04, 0x01, 0x00, 0x25, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x15, 0x00, 0x06, 0x01, 0x00, 0x1b, 0x00, 0x01,
        0x02, 0x00, 0x1c, 0x00, 0x01, 0x03, 0x00, 0x1d, 0x00, 0x00, 0xff, 0x0a, 0x32, 0x09, 0xc4, 0x00, 0x00, 0x00,
        0x00,
    ];

    #[test]
    fn the_answer_of_a_real_server_is_understood_and_given_likewise() {
        let body = message(&ANSWER, Kind::Reply, 1000).expect("TDS").expect("whole");
        let (prelogin, version, encryption) = Prelogin::decode_answer(&body).expect("an answer");
        assert_eq!((version.to_string().as_str(), encryption), ("10.50.2500", Encryption::Off));
        assert_eq!(prelogin.instance_matches(), Some(true));
        assert_eq!(Prelogin::default().answer(version, encryption, true).encode(), body);
    }

    #[test]
    fn a_stranger_s_trace_id_is_no_token() {
        let prelogin = Prelogin::default().with(option::TRACEID, [7; 36]);
        assert_eq!(prelogin.token(), None);
    }

    #[test]
    fn an_answer_without_a_version_proves_nothing() {
        let answer = Prelogin::default().with(option::ENCRYPTION, [0]);
        assert_eq!(Prelogin::decode_answer(&answer.encode()), Err(NotTds::Incomplete));
    }
}
