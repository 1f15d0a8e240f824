//! The challenges of a 407: `Proxy-Authenticate` headers taken apart (RFC 9110 11.6.1).

use hyper::HeaderMap;
use hyper::header::PROXY_AUTHENTICATE;

/// One way in which a proxy wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme's name in lower case: `basic`, `digest`, `ntlm`, `negotiate`, …
    pub scheme: String,
    /// What follows the name: parameters, or one base64 text.
    pub rest: String,
}

/// Every challenge of an answer, in the proxy's order. Headers that are not ASCII are left out.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(PROXY_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).flat_map(split).collect()
}

/// Parts between commas: one that begins with a word and a space, or is only a word, begins a challenge.
fn split(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for part in parts(header) {
        match (begins(part), found.last_mut()) {
            (Some((scheme, rest)), _) => {
                found.push(Challenge { scheme: scheme.to_ascii_lowercase(), rest: rest.trim().to_owned() });
            }
            (None, Some(current)) => {
                current.rest.push_str(", ");
                current.rest.push_str(part);
            }
            (None, None) => {}
        }
    }
    found
}

/// Splits at commas outside quoted text.
fn parts(header: &str) -> Vec<&str> {
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in header.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(&header[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&header[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn begins(part: &str) -> Option<(&str, &str)> {
    let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let named = word.bytes().all(token) && !rest.trim_start().starts_with('=');
    named.then_some((word, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn several_challenges_in_one_header_are_told_apart() {
        let header =
            r#"Basic realm="a, b", Digest realm="x\"y", nonce="n", qop="auth,auth-int", NTLM, Negotiate YWJj=="#;
        let found = split(header);
        let schemes: Vec<&str> = found.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["basic", "digest", "ntlm", "negotiate"]);
        assert_eq!(found[0].rest, r#"realm="a, b""#);
        assert_eq!(found[1].rest, r#"realm="x\"y", nonce="n", qop="auth,auth-int""#);
        assert_eq!(found[2].rest, "");
        assert_eq!(found[3].rest, "YWJj==");
    }

    #[test]
    fn a_parameter_with_spaces_around_its_sign_is_no_scheme() {
        let found = split(r#"Digest realm="x", nonce = "n""#);
        assert_eq!(found.len(), 1);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in "[ -~]{0,200}") {
            let _ = split(&header);
        }
    }
}
