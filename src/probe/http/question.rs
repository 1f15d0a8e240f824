//! The request that a check asks for: method, target, headers and body.

use hyper::header::{ACCEPT, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{Method, Request, Uri};

use crate::model::ask::{Ask, host_port};
use crate::model::probe::{self, Http};
use crate::model::token::Token;
use crate::net::http::Outgoing;
use crate::net::proxy;

/// The header that fills packets.
const PADDING: HeaderName = HeaderName::from_static("x-bothways-padding");

/// A request, ready to be sent.
pub(super) struct Question {
    pub method: Method,
    pub uri: Uri,
    host: String,
    body_bytes: u64,
    padding: usize,
}

impl Question {
    /// Nothing where the host can't be part of a URI.
    pub(super) fn of(settings: &Http, ask: &Ask) -> Option<Self> {
        let https = settings.https == Some(true);
        let usual = if https { 443 } else { 80 };
        let whole = host_port(&ask.host, ask.port);
        let bare = whole.strip_suffix(&format!(":{}", ask.port)).unwrap_or(&whole);
        let host = if ask.port == usual { bare.to_owned() } else { whole.clone() };
        let path = encoded(settings.path.as_deref().unwrap_or("/"));
        let absolute = ask.proxy().is_some() && !https;
        let target = if absolute { format!("http://{host}{path}") } else { path };
        let body_bytes = settings.send_bytes.unwrap_or(0);
        let method = settings.method.map_or(if body_bytes > 0 { Method::POST } else { Method::GET }, method);
        let padding = settings.padding.unwrap_or(0);
        Some(Self { method, uri: target.parse().ok()?, host, body_bytes, padding })
    }

    /// Whether the check wants a body to be sent.
    pub(super) fn has_body(&self) -> bool {
        self.body_bytes > 0
    }

    pub(super) fn request(&self, token: &Token, authorization: Option<HeaderValue>) -> Request<Outgoing> {
        let mut request = Request::new(Outgoing::text(self.body_bytes));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        for (name, value) in [(HOST, self.host.as_str()), (HeaderName::from_static(Token::HEADER), token.as_str())] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(proxy::USER_AGENT_NAME));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(filling) = HeaderValue::from_str(&"x".repeat(self.padding)).ok().filter(|_| self.padding > 0) {
            headers.insert(PADDING, filling);
        }
        if self.body_bytes > 0 || matches!(self.method, Method::POST | Method::PUT) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body_bytes));
        }
        if let Some(authorization) = authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        request
    }
}

fn method(method: probe::Method) -> Method {
    match method {
        probe::Method::Get => Method::GET,
        probe::Method::Head => Method::HEAD,
        probe::Method::Post => Method::POST,
        probe::Method::Put => Method::PUT,
        probe::Method::Options => Method::OPTIONS,
    }
}

/// A path as it may stand in a request line: with its slash, and `%HH` for what no URI can carry (RFC 3986 2.1).
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        text.push('/');
    }
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_encoded_only_where_it_must_be() {
        assert_eq!(encoded("/a%20b?x=1&y=ä#z"), "/a%20b?x=1&y=%C3%A4%23z");
        assert_eq!(encoded("deploy me"), "/deploy%20me");
    }

    proptest! {
        #[test]
        fn every_path_makes_a_uri(path in ".{0,80}") {
            prop_assert!(encoded(&path).parse::<Uri>().is_ok());
        }
    }
}
