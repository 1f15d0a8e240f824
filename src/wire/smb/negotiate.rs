//! NEGOTIATE: which dialect, signing and cipher both sides can speak (MS-SMB2 2.2.3 and 2.2.4). No credentials are needed.

use super::cut::{Cut, length16, part};
use super::header::{self, Header};
use super::{Guid, Malformed};

/// Dialect numbers (MS-SMB2 2.2.3).
pub mod dialect {
    pub const SMB_2_0_2: u16 = 0x0202;
    pub const SMB_2_1: u16 = 0x0210;
    /// The answer to an SMB1 NEGOTIATE: SMB2 is spoken, negotiate again.
    pub const SMB_2_WILDCARD: u16 = 0x02FF;
    pub const SMB_3_0: u16 = 0x0300;
    pub const SMB_3_0_2: u16 = 0x0302;
    pub const SMB_3_1_1: u16 = 0x0311;
    /// Every dialect of SMB2 and 3, oldest first.
    pub const ALL: [u16; 5] = [SMB_2_0_2, SMB_2_1, SMB_3_0, SMB_3_0_2, SMB_3_1_1];

    /// The dialect as people say it.
    #[must_use]
    pub fn name(dialect: u16) -> String {
        match dialect {
            SMB_2_0_2 => "2.0.2".to_owned(),
            SMB_2_1 => "2.1".to_owned(),
            SMB_2_WILDCARD => "2".to_owned(),
            SMB_3_0 => "3.0".to_owned(),
            SMB_3_0_2 => "3.0.2".to_owned(),
            SMB_3_1_1 => "3.1.1".to_owned(),
            other => format!("0x{other:04X}"),
        }
    }
}

/// Signing is possible; always set.
pub const SIGNING_ENABLED: u16 = 0x0001;
pub const SIGNING_REQUIRED: u16 = 0x0002;
/// This side can encrypt. A 3.1.1 client that offers ciphers without it is refused on encrypted shares (3.3.5.7).
pub const CAPABILITY_ENCRYPTION: u32 = 0x0000_0040;
/// SHA-512, the only hash there is (MS-SMB2 2.2.3.1.1).
pub const SHA_512: u16 = 0x0001;

/// The ciphers (MS-SMB2 2.2.3.1.2).
pub mod cipher {
    pub const AES_128_CCM: u16 = 0x0001;
    pub const AES_128_GCM: u16 = 0x0002;
    pub const AES_256_CCM: u16 = 0x0003;
    pub const AES_256_GCM: u16 = 0x0004;

    /// The cipher as people say it.
    #[must_use]
    pub fn name(cipher: u16) -> String {
        match cipher {
            AES_128_CCM => "AES-128-CCM".to_owned(),
            AES_128_GCM => "AES-128-GCM".to_owned(),
            AES_256_CCM => "AES-256-CCM".to_owned(),
            AES_256_GCM => "AES-256-GCM".to_owned(),
            other => format!("0x{other:04X}"),
        }
    }
}

const PREAUTH: u16 = 0x0001;
const ENCRYPTION: u16 = 0x0002;
/// A context that says nothing and that servers must pass over (MS-SMB2 2.2.3.1, `SMB2_CONTEXTTYPE_RESERVED`).
const RESERVED: u16 = 0x0100;
/// Where the body's variable part begins in a response: header and 64 fixed bytes.
const RESPONSE_FIXED: usize = header::LENGTH + 64;
const REQUEST_FIXED: usize = header::LENGTH + 36;

/// What dialect 3.1.1 adds (MS-SMB2 2.2.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// Hashes of the negotiation itself, and some random bytes.
    Preauth {
        hashes: Vec<u16>,
        salt: Vec<u8>,
    },
    Encryption(Vec<u16>),
    Other {
        kind: u16,
        data: Vec<u8>,
    },
}

/// What a client offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub security_mode: u16,
    pub capabilities: u32,
    pub client: Guid,
    pub dialects: Vec<u16>,
    /// Sent only where 3.1.1 is among the dialects.
    pub contexts: Vec<Context>,
}

/// What a server chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub security_mode: u16,
    pub dialect: u16,
    pub server: Guid,
    pub capabilities: u32,
    /// The most bytes of one transaction, read and write.
    pub max_transact: u32,
    pub max_read: u32,
    pub max_write: u32,
    /// 100-nanosecond intervals since 1601.
    pub system_time: u64,
    /// The ways in which the server lets clients log in (SPNEGO).
    pub token: Vec<u8>,
    /// Present only with 3.1.1.
    pub contexts: Vec<Context>,
}

impl Request {
    /// A whole message.
    #[must_use]
    pub fn encode(&self, head: &Header) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(36u16.to_le_bytes());
        body.extend(length16(self.dialects.len()).to_le_bytes());
        body.extend(self.security_mode.to_le_bytes());
        body.extend([0; 2]);
        body.extend(self.capabilities.to_le_bytes());
        body.extend(self.client.0);
        let with_contexts = self.dialects.contains(&dialect::SMB_3_1_1);
        let dialects_end = (REQUEST_FIXED + 2 * self.dialects.len()).next_multiple_of(8);
        if with_contexts {
            body.extend(u32::try_from(dialects_end).unwrap_or(0).to_le_bytes());
            body.extend(length16(self.contexts.len()).to_le_bytes());
            body.extend([0; 2]);
        } else {
            body.extend([0; 8]);
        }
        body.extend(self.dialects.iter().flat_map(|dialect| dialect.to_le_bytes()));
        if with_contexts {
            body.resize(dialects_end - header::LENGTH, 0);
            encode_contexts(&self.contexts, &mut body);
        }
        header::message(head, &body)
    }

    /// Reads a whole message.
    ///
    /// # Errors
    /// It is too short, or not built as the specification says.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::at(message, header::LENGTH)?;
        cut.structure(36)?;
        let (count, security_mode, _reserved, capabilities) = (cut.u16()?, cut.u16()?, cut.u16()?, cut.u32()?);
        let client = Guid(cut.array()?);
        let (offset, context_count, _reserved) = (cut.u32()?, cut.u16()?, cut.u16()?);
        let dialects = words(&mut cut, count)?;
        let contexts = if dialects.contains(&dialect::SMB_3_1_1) {
            decode_contexts(message, offset, context_count)?
        } else {
            Vec::new()
        };
        Ok(Self { security_mode, capabilities, client, dialects, contexts })
    }
}

impl Response {
    /// A whole message.
    #[must_use]
    pub fn encode(&self, head: &Header) -> Vec<u8> {
        let with_contexts = self.dialect == dialect::SMB_3_1_1;
        let contexts_at = (RESPONSE_FIXED + self.token.len()).next_multiple_of(8);
        let (count, offset) = if with_contexts {
            (length16(self.contexts.len()), u32::try_from(contexts_at).unwrap_or(0))
        } else {
            (0, 0)
        };
        let mut body = Vec::new();
        body.extend(65u16.to_le_bytes());
        body.extend(self.security_mode.to_le_bytes());
        body.extend(self.dialect.to_le_bytes());
        body.extend(count.to_le_bytes());
        body.extend(self.server.0);
        for number in [self.capabilities, self.max_transact, self.max_read, self.max_write] {
            body.extend(number.to_le_bytes());
        }
        body.extend(self.system_time.to_le_bytes());
        body.extend([0; 8]); // ServerStartTime
        body.extend(length16(RESPONSE_FIXED).to_le_bytes());
        body.extend(length16(self.token.len()).to_le_bytes());
        body.extend(offset.to_le_bytes());
        body.extend(&self.token);
        if with_contexts {
            body.resize(contexts_at - header::LENGTH, 0);
            encode_contexts(&self.contexts, &mut body);
        }
        header::message(head, &body)
    }

    /// Reads a whole message.
    ///
    /// # Errors
    /// It is too short, or not built as the specification says.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::at(message, header::LENGTH)?;
        cut.structure(65)?;
        let (security_mode, dialect, count) = (cut.u16()?, cut.u16()?, cut.u16()?);
        let server = Guid(cut.array()?);
        let (capabilities, max_transact, max_read, max_write) = (cut.u32()?, cut.u32()?, cut.u32()?, cut.u32()?);
        let (system_time, _start_time) = (cut.u64()?, cut.u64()?);
        let (token_at, token_length, contexts_at) = (cut.u16()?, cut.u16()?, cut.u32()?);
        let token = part(message, token_at, token_length)?.to_vec();
        let contexts =
            if dialect == dialect::SMB_3_1_1 { decode_contexts(message, contexts_at, count)? } else { Vec::new() };
        Ok(Self {
            security_mode,
            dialect,
            server,
            capabilities,
            max_transact,
            max_read,
            max_write,
            system_time,
            token,
            contexts,
        })
    }

    /// The cipher that would be used, where the server can encrypt.
    #[must_use]
    pub fn cipher(&self) -> Option<u16> {
        if self.dialect == dialect::SMB_3_1_1 {
            let ciphers = self.contexts.iter().find_map(|context| match context {
                Context::Encryption(ciphers) => Some(ciphers),
                _ => None,
            });
            return ciphers?.first().copied().filter(|cipher| *cipher != 0);
        }
        (self.dialect >= dialect::SMB_3_0 && self.capabilities & CAPABILITY_ENCRYPTION != 0)
            .then_some(cipher::AES_128_CCM)
    }

    #[must_use]
    pub fn signing_required(&self) -> bool {
        self.security_mode & SIGNING_REQUIRED != 0
    }
}

fn words(cut: &mut Cut, count: u16) -> Result<Vec<u16>, Malformed> {
    let bytes = cut.bytes(2 * usize::from(count))?;
    Ok(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
}

fn encode_contexts(contexts: &[Context], out: &mut Vec<u8>) {
    for (index, context) in contexts.iter().enumerate() {
        if index > 0 {
            // Contexts begin at multiples of eight bytes; the header before the body is one itself.
            out.resize(out.len().next_multiple_of(8), 0);
        }
        let (kind, data) = context.fields();
        out.extend(kind.to_le_bytes());
        out.extend(length16(data.len()).to_le_bytes());
        out.extend([0; 4]);
        out.extend(data);
    }
}

fn decode_contexts(message: &[u8], offset: u32, count: u16) -> Result<Vec<Context>, Malformed> {
    let mut at = usize::try_from(offset).map_err(|_| Malformed("a field points beyond its end"))?;
    let mut contexts = Vec::new();
    for _ in 0..count {
        let mut cut = Cut::at(message, at)?;
        let (kind, length, _reserved) = (cut.u16()?, cut.u16()?, cut.u32()?);
        contexts.push(Context::read(kind, cut.bytes(usize::from(length))?)?);
        at = (at + 8 + usize::from(length)).next_multiple_of(8);
    }
    Ok(contexts)
}

impl Context {
    /// So many bytes that only fill packets.
    #[must_use]
    pub fn padding(bytes: usize) -> Self {
        Self::Other { kind: RESERVED, data: vec![0; bytes] }
    }

    /// How many bytes of it only fill packets.
    #[must_use]
    pub fn padded(&self) -> usize {
        match self {
            Self::Other { kind: RESERVED, data } => data.len(),
            _ => 0,
        }
    }

    fn fields(&self) -> (u16, Vec<u8>) {
        let list = |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        match self {
            Self::Preauth { hashes, salt } => {
                let mut data = list(&[length16(hashes.len()), length16(salt.len())]);
                data.extend(list(hashes));
                data.extend(salt);
                (PREAUTH, data)
            }
            Self::Encryption(ciphers) => {
                let mut data = list(&[length16(ciphers.len())]);
                data.extend(list(ciphers));
                (ENCRYPTION, data)
            }
            Self::Other { kind, data } => (*kind, data.clone()),
        }
    }

    fn read(kind: u16, data: &[u8]) -> Result<Self, Malformed> {
        let mut cut = Cut::new(data);
        Ok(match kind {
            PREAUTH => {
                let (hashes, salt) = (cut.u16()?, cut.u16()?);
                Self::Preauth { hashes: words(&mut cut, hashes)?, salt: cut.bytes(usize::from(salt))?.to_vec() }
            }
            ENCRYPTION => {
                let count = cut.u16()?;
                Self::Encryption(words(&mut cut, count)?)
            }
            _ => Self::Other { kind, data: data.to_vec() },
        })
    }
}

#[cfg(test)]
mod tests;
