//! Text from the network made harmless before a person's terminal sees it.

/// Characters that steer a terminal or turn the order of letters: controls, line separators, bidirectional overrides, and
/// characters that are not seen at all.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text on one line without anything that a terminal would obey. Line breaks and tabs become blanks.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
            c if is_unsafe(c) => None,
            c => Some(c),
        })
        .collect()
}

/// The usual typographic characters in ASCII. Letters stay as they are: a host name must not change.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '→' => out.push_str("->"),
            '…' => out.push_str("..."),
            '·' => out.push('|'),
            '–' | '—' | '‑' => out.push('-'),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "220 \x1b]0;owned\x07\x1b[2J\u{9b}31mhi\u{202e}there\u{200b}\x7f\x00\r\nnext\tword";
        let clean = plain(hostile);
        assert_eq!(clean, "220 ]0;owned[2J31mhithere  next word");
        assert!(!clean.chars().any(is_unsafe));
    }

    #[test]
    fn letters_of_any_script_stay() {
        assert_eq!(plain("työasema-17.пример"), "työasema-17.пример");
        assert_eq!(ascii("a → b … työ"), "a -> b ... työ");
    }
}
