//! The answering half of WebSocket upgrades (RFC 6455), on connections that the HTTP responder hands over.
//!
//! A valid upgrade gets its 101 and a WebSocket that answers pings, repeats what it is sent and, where the probe said how
//! long it will stay idle, pushes a text after that time. A request that was an upgrade when it was sent (it carries the key)
//! but is none any more is told so: something in the path changed it, and the repeated token proves that it came through.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::stream::Onward;
use super::{Shared, http};
use crate::model::probe::{Protocol, Websocket};
use crate::model::run::Receipt;
use crate::model::token::Token;

/// Bytes of one message that are repeated at most; longer ones end the conversation.
const MOST: usize = 64 * 1024;
/// The longest idle time that a probe may announce.
const LONGEST_HOLD: Duration = Duration::from_secs(3600);
/// What is allowed on top of the announced idle time.
const SLACK: Duration = Duration::from_secs(30);

/// Whether a request is an upgrade, or was one when it was sent.
pub(super) fn is_upgrade(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    headers.contains_key(header::SEC_WEBSOCKET_KEY) || lists(headers, &header::UPGRADE, "websocket")
}

/// Answers an upgrade. A valid one goes on as a WebSocket once the 101 is sent.
pub(super) fn answer(
    request: &mut Request<Incoming>,
    shared: &Arc<Shared>,
    from: SocketAddr,
    at: SocketAddr,
) -> (Response<Full<Bytes>>, Onward) {
    let token = request.headers().get(Token::HEADER).and_then(|token| Token::parse(token.to_str().ok()?));
    let (mut response, onward) = match handshake(request) {
        Ok(accept) => {
            let visit = Visit {
                token: token.clone(),
                hold: announced_hold(request.headers()),
                shared: Arc::clone(shared),
                from,
                at,
            };
            let onward = visit.serve(hyper::upgrade::on(&mut *request)).boxed();
            (switching(&accept, request.headers()), Some(onward))
        }
        Err(fault) => (refusal(fault), None),
    };
    if let Some(value) = token.as_ref().and_then(|token| HeaderValue::from_str(token.as_str()).ok()) {
        response.headers_mut().insert(Token::HEADER, value);
    }
    shared.receipts.draft(Protocol::Websocket, from, at).note(|receipt| {
        receipt.token = token.map(|token| token.to_string());
        receipt.asked = Some(format!("{} {} {}", request.method(), request.uri(), response.status().as_u16()));
        receipt.received_bytes = bytes_of(request.headers());
        receipt.sent_bytes = bytes_of(response.headers());
        receipt.headers = request.headers().iter().map(http::kept).collect();
    });
    (response, onward)
}

/// The 101 for a valid upgrade.
pub(super) fn accept(request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    Some(switching(&handshake(request).ok()?, request.headers()))
}

/// Why a request is not an upgrade that can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It can't have been sent so: the headers that ask for the upgrade are gone, or the version is.
    NotAsked,
    /// It is no WebSocket request at all.
    Wrong,
}

/// Checks a request (RFC 6455 4.2.1); the value is that of `Sec-WebSocket-Accept`.
fn handshake(request: &Request<Incoming>) -> Result<String, Fault> {
    let headers = request.headers();
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(Fault::Wrong)?;
    let nonce = base64::engine::general_purpose::STANDARD.decode(key.as_bytes());
    if request.method() != Method::GET || !nonce.is_ok_and(|nonce| nonce.len() == 16) {
        return Err(Fault::Wrong);
    }
    let asked = lists(headers, &header::UPGRADE, "websocket")
        && lists(headers, &header::CONNECTION, "upgrade")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version.as_bytes() == b"13")
        && request.version() >= Version::HTTP_11;
    if asked { Ok(derive_accept_key(key.as_bytes())) } else { Err(Fault::NotAsked) }
}

fn switching(accept: &str, asked: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    // The first one offered: a client that needs one goes on, and it is one that the client knows.
    let offered =
        asked.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|offered| offered.to_str().ok()?.split(',').next());
    if let Some(first) = offered.and_then(|first| HeaderValue::from_str(first.trim()).ok()) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, first);
    }
    response
}

/// RFC 9110 15.5.22 and RFC 6455 4.2.2: what is missing is an upgrade, of this version.
fn refusal(fault: Fault) -> Response<Full<Bytes>> {
    if fault == Fault::Wrong {
        return plain(StatusCode::BAD_REQUEST);
    }
    let mut response = plain(StatusCode::UPGRADE_REQUIRED);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// An answer without a body, so that it is never longer than the question.
fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Whether a comma-separated header names this word (RFC 9110 5.6.1).
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// The bytes of header lines: `name: value` and a line end.
fn bytes_of(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len() + 4) as u64).sum()
}

fn announced_hold(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get(Websocket::HOLD_HEADER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(millis).min(LONGEST_HOLD))
}

/// One peer's WebSocket.
struct Visit {
    token: Option<Token>,
    hold: Option<Duration>,
    shared: Arc<Shared>,
    from: SocketAddr,
    at: SocketAddr,
}

impl Visit {
    async fn serve(self, upgrade: OnUpgrade) {
        let hold = self.hold.unwrap_or_default();
        let limits = self.shared.limits;
        let idle = self.hold.map_or(limits.idle, |hold| limits.idle.max(hold + SLACK));
        let conversation = async {
            let upgraded = timeout(limits.idle, upgrade).await.ok()?.ok()?;
            let config = WebSocketConfig::default().max_message_size(Some(MOST)).max_frame_size(Some(MOST));
            let io = TokioIo::new(upgraded);
            self.talk(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await, idle).await
        };
        let _ = timeout(limits.conversation + hold, conversation).await;
    }

    /// Repeats what is said, and pushes once after the announced idle time. Ends with `None` when the peer ends.
    async fn talk(&self, mut socket: WebSocketStream<TokioIo<Upgraded>>, idle: Duration) -> Option<()> {
        let mut push = self.push();
        let mut heard = false;
        let mut due = self.hold.map(|hold| Instant::now() + hold);
        loop {
            let give_up = Instant::now() + idle;
            // A ping does not put the push off: it must come while the other side is silent, and that pings when its time is up.
            let message = match (due, &push) {
                (Some(due), Some(_)) => timeout_at(due.min(give_up), socket.next()).await,
                _ => timeout_at(give_up, socket.next()).await,
            };
            match message {
                Ok(message) => {
                    let message = message?.ok()?;
                    if !std::mem::replace(&mut heard, true) {
                        self.keep_first(&message);
                    }
                    if message.is_text() || message.is_binary() {
                        timeout(idle, socket.send(message)).await.ok()?.ok()?;
                        due = self.hold.map(|hold| Instant::now() + hold);
                    }
                }
                Err(_) => timeout(idle, socket.send(push.take()?)).await.ok()?.ok()?,
            }
        }
    }

    /// Keeps a receipt of the first frame: what is lost after the upgrade is then known to be lost on its way back.
    fn keep_first(&self, message: &Message) {
        let receipt = self.shared.receipts.draft(Protocol::Websocket, self.from, self.at);
        receipt.note(|receipt| {
            receipt.token = self.token.as_ref().map(ToString::to_string);
            receipt.asked = Some(Receipt::FIRST_FRAME.to_owned());
            receipt.received_bytes = message.len() as u64;
        });
    }

    /// What is said after the idle time; nothing to a peer that did not say who it is.
    fn push(&self) -> Option<Message> {
        let (Some(_), Some(token)) = (self.hold, &self.token) else { return None };
        Some(Message::text(format!("{}{token}", Websocket::PUSH_PREFIX)))
    }
}
