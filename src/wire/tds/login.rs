//! LOGIN7 (MS-TDS 2.2.6.4), read just far enough to refuse it well, and the tokens of a refusal (2.2.7).

use super::NotTds;

/// What a refusal needs of a login. The user and the password are not even looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// As on the wire, such as `0x7400_0004` for TDS 7.4.
    pub version: u32,
    /// The database asked for; empty where none is.
    pub database: String,
}

/// TDS 7.2, from which on tokens are wider.
const WIDER_TOKENS: u32 = 0x7209_0002;

/// Where the offset and the length of the database's name stand.
const DATABASE: usize = 68;

impl Login {
    /// Reads a message without its packets.
    ///
    /// # Errors
    /// [`NotTds`] where it is too short to be a login.
    pub fn decode(body: &[u8]) -> Result<Self, NotTds> {
        let version = body.get(4..8).and_then(|bytes| bytes.try_into().ok()).ok_or(NotTds::ShortLogin)?;
        Ok(Self { version: u32::from_le_bytes(version), database: text_at(body, DATABASE).unwrap_or_default() })
    }

    /// The tokens that refuse this login: an error and the end.
    #[must_use]
    pub fn refuse(&self, number: u32, message: &str, server: &str) -> Vec<u8> {
        let wide = self.version >= WIDER_TOKENS;
        let mut error = Vec::new();
        error.extend_from_slice(&number.to_le_bytes());
        // State 1 tells a client nothing, as servers do; class 14 is a matter of permission.
        error.extend_from_slice(&[1, 14]);
        let units = utf16(message, 2000);
        error.extend_from_slice(&u16::try_from(units.len() / 2).unwrap_or_default().to_le_bytes());
        error.extend_from_slice(&units);
        let units = utf16(server, 100);
        error.push(u8::try_from(units.len() / 2).unwrap_or_default());
        error.extend_from_slice(&units);
        // No procedure, line 1.
        error.push(0);
        error.extend_from_slice(if wide { &[1, 0, 0, 0] } else { &[1, 0] });

        let mut tokens = vec![0xaa];
        tokens.extend_from_slice(&u16::try_from(error.len()).unwrap_or_default().to_le_bytes());
        tokens.extend_from_slice(&error);
        // DONE with the error bit, no command, no rows.
        tokens.extend_from_slice(&[0xfd, 0x02, 0, 0, 0]);
        tokens.extend_from_slice(if wide { &[0; 8] } else { &[0; 4] });
        tokens
    }
}

/// A text by the offset (bytes) and length (characters) that stand at `place`.
fn text_at(body: &[u8], place: usize) -> Option<String> {
    let [o1, o2, l1, l2] = *body.get(place..place + 4)?.first_chunk()?;
    let offset = usize::from(u16::from_le_bytes([o1, o2]));
    let length = usize::from(u16::from_le_bytes([l1, l2])).min(128) * 2;
    let units: Vec<u16> =
        body.get(offset..offset + length)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}

fn utf16(text: &str, most: usize) -> Vec<u8> {
    text.encode_utf16().take(most).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(login) = Login::decode(&bytes) {
                let _ = login.refuse(18456, &login.database, &login.database);
            }
        }
    }

    #[test]
    fn the_database_is_read_and_nothing_else() {
        let mut body = vec![0; 94];
        body[4..8].copy_from_slice(&0x7400_0004u32.to_le_bytes());
        body[DATABASE..DATABASE + 4].copy_from_slice(&[94, 0, 3, 0]);
        body.extend(utf16("abc", 10));
        let login = Login::decode(&body).expect("a login");
        assert_eq!(login, Login { version: 0x7400_0004, database: "abc".to_owned() });
    }

    #[test]
    fn old_clients_get_narrow_tokens() {
        let old = Login { version: 0x7100_0001, database: String::new() }.refuse(18456, "no", "s");
        let new = Login { version: 0x7400_0004, database: String::new() }.refuse(18456, "no", "s");
        assert_eq!(new.len() - old.len(), 6);
    }
}
