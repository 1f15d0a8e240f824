//! What an unquoted word is, by the YAML 1.2 core schema (10.3.2): null, boolean, number, or else text.

use serde_json::Number;

use super::node::Content;

/// The value of a word written without quotes.
#[must_use]
pub fn plain(word: &str) -> Content {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => number(word).map_or_else(|| Content::Text(word.to_owned()), |n| Content::Number(n, word.to_owned())),
    }
}

fn number(word: &str) -> Option<Number> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    if let Some(digits) = word.strip_prefix("0x") {
        return digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| radix(digits, 16))?;
    }
    if let Some(digits) = word.strip_prefix("0o") {
        return digits.bytes().all(|b| b.is_ascii_digit()).then(|| radix(digits, 8))?;
    }
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !unsigned.bytes().any(|b| b.is_ascii_digit())
    {
        return None;
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let whole = word.strip_prefix('+').unwrap_or(word);
        let whole_number = whole.parse::<u64>().map(Number::from).or_else(|_| whole.parse::<i64>().map(Number::from));
        return whole_number.ok().or_else(|| Number::from_f64(whole.parse().ok()?));
    }
    let decimal = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    unsigned.bytes().all(decimal).then(|| Number::from_f64(word.parse().ok()?))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_by_the_core_schema() {
        for (word, json) in [
            ("", "null"),
            ("~", "null"),
            ("true", "true"),
            ("yes", "\"yes\""),
            ("off", "\"off\""),
            ("1433", "1433"),
            ("-1", "-1"),
            ("010", "10"),
            ("0x10", "16"),
            ("0o17", "15"),
            ("0o9", "\"0o9\""),
            ("2.5", "2.5"),
            ("1e3", "1000.0"),
            ("10.0.0.1", "\"10.0.0.1\""),
            ("::1", "\"::1\""),
            ("1-2", "\"1-2\""),
            ("12:30", "\"12:30\""),
            (".", "\".\""),
            ("e5", "\"e5\""),
            ("99999999999999999999", "1e20"),
        ] {
            let read = match plain(word) {
                Content::Null => "null".to_owned(),
                Content::Bool(value) => value.to_string(),
                Content::Number(value, _) => value.to_string(),
                Content::Text(text) => format!("\"{text}\""),
                other => format!("{other:?}"),
            };
            let same = read == json || read.parse::<f64>().ok().is_some_and(|n| Ok(n) == json.parse::<f64>());
            assert!(same, "{word} was read as {read}");
        }
    }
}
