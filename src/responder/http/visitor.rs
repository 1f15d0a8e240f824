//! One peer on one connection: its requests, their receipts and their answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    SERVER,
};
use hyper::{Request, Response, StatusCode, Uri};

use super::super::receipts::Draft;
use super::super::stream::Onward;
use super::super::{Shared, websocket};
use super::Service;
use crate::model::probe::Protocol;
use crate::model::token::Token;
use crate::net::count::Counter;

/// Bytes of the largest page that `?bytes=N` gives.
const MOST_PAGE: usize = 2 << 20;

const PAGE: &str = "bothways responder: this is not the real service.\n\
    It answers in its place, so that the path to it can be tested before it is installed.\n";

static PAGE_DIGEST: LazyLock<HeaderValue> = LazyLock::new(|| {
    HeaderValue::try_from(Token::digest(PAGE.as_bytes())).unwrap_or_else(|_| HeaderValue::from_static(""))
});

/// Text for large pages, made once and shared by all of them.
static LARGE_PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let line = b"bothways responder: a page of the length that was asked for.\n";
    line.iter().copied().cycle().take(MOST_PAGE).collect()
});

/// Who asks, over which connection.
pub(super) struct Visitor {
    service: Service,
    shared: Arc<Shared>,
    from: SocketAddr,
    at: SocketAddr,
    counter: Arc<Counter>,
    /// Bytes that earlier requests of this connection have received.
    accounted: AtomicU64,
    /// What the connection was upgraded to.
    onward: Mutex<Onward>,
    /// The receipt of a connection on which no request came, until one does.
    unasked: Mutex<Option<Draft>>,
}

/// How reading a request's body ended.
enum Taken {
    Whole(u64),
    TooLarge,
    Broken,
}

impl Visitor {
    pub(super) fn new(
        service: Service,
        shared: Arc<Shared>,
        (from, at): (SocketAddr, SocketAddr),
        counter: Arc<Counter>,
        unasked: Draft,
    ) -> Self {
        let (accounted, onward) = (AtomicU64::new(0), Mutex::default());
        Self { service, shared, from, at, counter, accounted, onward, unasked: Mutex::new(Some(unasked)) }
    }

    /// What the connection was upgraded to, once its last request is answered.
    pub(super) fn onward(&self) -> Onward {
        self.onward.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) async fn answer(&self, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(unasked) = unasked {
            unasked.cancel();
        }
        if let Some(answer) = self.upgrade(&mut request) {
            return answer;
        }
        let token = request
            .headers()
            .get(Token::HEADER)
            .and_then(|value| Token::parse(value.to_str().ok()?))
            .map(|token| token.as_str().to_owned());
        let draft = self.draft(&request, token.clone());
        let wanted = page_bytes(request.uri());
        let body = self.take(request.into_body()).await;
        self.accounted.store(self.counter.received(), Ordering::Relaxed);
        let mut answer = match body {
            Taken::Whole(bytes) => {
                let mut answer = Response::new(Full::new(page(wanted)));
                answer.headers_mut().insert(HeaderName::from_static("x-bothways-received"), HeaderValue::from(bytes));
                if let Some(digest) = wanted.is_none().then(|| PAGE_DIGEST.clone()) {
                    answer.headers_mut().insert(HeaderName::from_static(Token::PAGE_HEADER), digest);
                }
                answer
            }
            Taken::TooLarge => last(StatusCode::PAYLOAD_TOO_LARGE),
            Taken::Broken => last(StatusCode::REQUEST_TIMEOUT),
        };
        let headers = answer.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static(concat!("bothways/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(token) = token.and_then(|token| HeaderValue::try_from(token).ok()) {
            headers.insert(HeaderName::from_static(Token::HEADER), token);
        }
        draft.note(|receipt| receipt.sent_bytes = answer.body().size_hint().exact().unwrap_or(0));
        answer
    }

    /// The answer to a request for the control channel or for a WebSocket.
    fn upgrade(&self, request: &mut Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let granted = self.service.hook().and_then(|hook| hook.grant(request, self.from, self.at, &self.shared));
        let (answer, onward) = match granted {
            Some((answer, channel)) => (answer, Some(channel)),
            None if websocket::is_upgrade(request) => websocket::answer(request, &self.shared, self.from, self.at),
            None => return None,
        };
        *self.onward.lock().unwrap_or_else(PoisonError::into_inner) = onward;
        Some(answer)
    }

    /// The receipt of a request; it is kept however that ends.
    fn draft(&self, request: &Request<Incoming>, token: Option<String>) -> Draft {
        let (ways, earlier) = ((self.from, self.at), self.accounted.load(Ordering::Relaxed));
        let draft = self.shared.receipts.counting(Protocol::Http, ways, Arc::clone(&self.counter), earlier);
        let asked = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        draft.note(|receipt| {
            receipt.token = token;
            receipt.asked = Some(cut(&asked));
            receipt.headers = request.headers().iter().map(kept).collect();
            receipt.presented = self.service.https.then(|| self.shared.certificate.fingerprint.clone());
        });
        draft
    }

    /// Counts a body and throws it away.
    async fn take(&self, mut body: Incoming) -> Taken {
        let most = self.shared.limits.request_bytes;
        if body.size_hint().lower() > most {
            return Taken::TooLarge;
        }
        let mut bytes = 0;
        loop {
            match tokio::time::timeout(self.shared.limits.idle, body.frame()).await {
                Ok(None) => return Taken::Whole(bytes),
                Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
                Ok(Some(Err(_))) | Err(_) => return Taken::Broken,
            }
            if bytes > most {
                return Taken::TooLarge;
            }
        }
    }
}

/// An answer after which the connection is closed.
fn last(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{status}\n"))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn page(bytes: Option<usize>) -> Bytes {
    bytes.map_or_else(|| Bytes::from_static(PAGE.as_bytes()), |bytes| LARGE_PAGE.slice(..bytes))
}

/// `N` of `?bytes=N`, within bounds.
fn page_bytes(uri: &Uri) -> Option<usize> {
    let mut pairs = uri.query()?.split('&');
    let number = pairs.find_map(|pair| pair.strip_prefix("bytes="))?;
    Some(number.parse::<usize>().ok()?.min(MOST_PAGE))
}

/// A header for the receipt. What proves an account is not kept.
pub(in super::super) fn kept((name, value): (&HeaderName, &HeaderValue)) -> (String, String) {
    let secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name);
    let text = if secret { "(not kept)".to_owned() } else { cut(&String::from_utf8_lossy(value.as_bytes())) };
    (cut(name.as_str()), text)
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_page_is_bounded() {
        let bytes = |uri: &str| page_bytes(&uri.parse().expect("a URI"));
        assert_eq!(bytes("/?bytes=1000"), Some(1000));
        assert_eq!(bytes("/?x=1&bytes=99999999999"), Some(MOST_PAGE));
        assert_eq!(bytes("/?bytes=-1"), None);
        assert_eq!(bytes("/"), None);
        assert_eq!(page(Some(MOST_PAGE)).len(), MOST_PAGE);
    }
}
