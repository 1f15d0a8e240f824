//! Reading little-endian fields off a slice, never beyond its end.

use super::Malformed;

const SHORT: Malformed = Malformed("it is too short");

/// A place in a message from which fields are read one after another.
pub(super) struct Cut<'a> {
    rest: &'a [u8],
}

impl<'a> Cut<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A cut that begins at `offset`.
    pub(super) fn at(bytes: &'a [u8], offset: usize) -> Result<Self, Malformed> {
        bytes.get(offset..).map(Self::new).ok_or(SHORT)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// The fixed first field of every SMB2 body.
    pub(super) fn structure(&mut self, size: u16) -> Result<(), Malformed> {
        if self.u16()? == size { Ok(()) } else { Err(Malformed("its structure size is wrong")) }
    }
}

/// The part of a message that an offset and a length name; an empty part may lie anywhere.
pub(super) fn part(message: &[u8], offset: u16, length: u16) -> Result<&[u8], Malformed> {
    if length == 0 {
        return Ok(&[]);
    }
    let offset = usize::from(offset);
    message.get(offset..offset + usize::from(length)).ok_or(Malformed("a field points beyond its end"))
}

/// A length as a 16-bit field.
pub(super) fn length16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// Text as UTF-16 bytes.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
