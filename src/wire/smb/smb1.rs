//! SMB1's NEGOTIATE, as far as it tells SMB1-only servers from others and leads old clients to SMB2
//! (MS-SMB 2.2.4.5, MS-SMB2 3.3.5.3).

use super::Malformed;
use super::cut::{Cut, length16};

const MAGIC: [u8; 4] = *b"\xFFSMB";
const NEGOTIATE: u8 = 0x72;
/// The dialect name by which an SMB1 client says that it speaks SMB2 and wants to negotiate again.
pub const SMB_2_WILDCARD: &str = "SMB 2.???";
/// The dialect name of SMB 2.0.2.
pub const SMB_2_0_2: &str = "SMB 2.002";
/// The dialect name of SMB1 proper.
pub const NT_LM_0_12: &str = "NT LM 0.12";
/// The index that refuses all dialects.
pub const NONE: u16 = 0xFFFF;

/// Whether a message is an SMB1 one.
#[must_use]
pub fn is_smb1(message: &[u8]) -> bool {
    message.starts_with(&MAGIC)
}

/// A whole NEGOTIATE request that offers these dialects.
#[must_use]
pub fn request(dialects: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = dialects.iter().flat_map(|name| [&[2], name.as_bytes(), &[0]].concat()).collect();
    let mut bytes = head(0);
    bytes.push(0);
    bytes.extend(length16(names.len()).to_le_bytes());
    bytes.extend(names);
    bytes
}

/// The dialects that a NEGOTIATE request offers.
///
/// # Errors
/// It is too short, or no SMB1 NEGOTIATE.
pub fn dialects(message: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut cut = body(message)?;
    let words = cut.u8()?;
    cut.bytes(2 * usize::from(words))?;
    let length = cut.u16()?;
    let names = cut.bytes(usize::from(length))?.split(|byte| *byte == 0);
    Ok(names
        .filter_map(|name| name.strip_prefix(&[2]))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

/// A whole answer that chooses the dialect with this index, or [`NONE`], without the fields that a login would need.
#[must_use]
pub fn response(index: u16) -> Vec<u8> {
    let mut bytes = head(0x80);
    bytes.push(1);
    bytes.extend(index.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// The index of the dialect that an answer chooses; [`NONE`] refuses all.
///
/// # Errors
/// It is too short, or no SMB1 NEGOTIATE.
pub fn chosen(message: &[u8]) -> Result<u16, Malformed> {
    let mut cut = body(message)?;
    match cut.u8()? {
        0 => Ok(NONE),
        _ => cut.u16(),
    }
}

fn head(flags: u8) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([NEGOTIATE, 0, 0, 0, 0, 0x18 | flags, 0x53, 0xC8]);
    bytes.extend([0; 12]); // PIDHigh, signature, reserved
    bytes.extend([0xFF, 0xFF, 0xFE, 0xFF, 0, 0, 0, 0]); // TID, PID, UID, MID
    bytes
}

fn body(message: &[u8]) -> Result<Cut<'_>, Malformed> {
    if !is_smb1(message) || message.get(4) != Some(&NEGOTIATE) {
        return Err(Malformed("it is no SMB1 NEGOTIATE"));
    }
    Cut::at(message, 32)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..100), index: u16) {
            let forged = [&head(0)[..], &bytes].concat();
            let _ = (dialects(&forged), chosen(&forged), dialects(&bytes), chosen(&bytes));
            prop_assert_eq!(chosen(&response(index)), Ok(index));
        }

        #[test]
        fn dialects_are_read_as_they_were_written(names in vec("[A-Za-z0-9 .?]{1,20}", 0..8)) {
            let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
            prop_assert_eq!(dialects(&request(&borrowed)), Ok(names));
        }
    }
}
