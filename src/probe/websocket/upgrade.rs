//! The WebSocket handshake (RFC 6455 4), with everything in a wrong answer kept as evidence.
//!
//! It is read as HTTP: the status, the headers and the beginning of the page stay known whatever the answer is, HTTP/1.0
//! and lists in `Connection` included.

use std::pin::pin;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::whole_millis;
use crate::model::ask::{Ask, host_port};
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::Websocket;
use crate::model::token::Token;
use crate::net::http::{Conversation, Outgoing};
use crate::net::trace::Trace;
use crate::net::{Stopped, Stream, proxy};

/// Bytes of one message or frame that are taken at most; a service may well have much to say to a new client.
const MOST: usize = 1 << 20;
/// How long a page that came instead of an upgrade is read for its beginning: a courtesy to the reader of the report.
const PAGE: Duration = Duration::from_millis(200);

/// Who answered the upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FarSide {
    /// One of ours: it repeated the token.
    Responder,
    Service,
}

pub(super) type Socket = WebSocketStream<Stream>;

/// Sends the upgrade and takes nothing less than a 101 with the right key (RFC 6455 4.1, 4.2.2).
pub(super) async fn open(
    settings: &Websocket,
    ask: &Ask,
    stream: Stream,
    peer: &str,
    trace: &Trace,
) -> Result<(Socket, FarSide), Stopped> {
    let mut line = Conversation::open(stream, trace).await?;
    line.publish(trace);
    let sending = trace.begin(StepKind::Request, Some(peer.to_owned()));
    let key = generate_key();
    let Some(request) = request(settings, ask, &key) else {
        return Err(sending.fail_with(Failure::Internal, "the path or subprotocol can't be sent in an HTTP request"));
    };
    let mut answer = pin!(line.ask(request));
    let early = tokio::select! {
        biased;
        () = line.sent() => None,
        answer = &mut answer => Some(answer),
    };
    if let Some(Err(broken)) = early {
        return Err(broken.end(sending));
    }
    sending.pass_with("upgrade sent");
    let reply = trace.begin(StepKind::Reply, Some(peer.to_owned()));
    let response = match early {
        Some(answer) => answer,
        None => answer.await,
    };
    let response = match response {
        Ok(response) => response,
        Err(broken) => return Err(broken.end(reply)),
    };
    let far_side = record_head(&response, ask, trace);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let stopped = reply.fail_with(Failure::Unexpected, format!("status {}", response.status().as_u16()));
        record_page(response, trace).await;
        return Err(stopped);
    }
    if let Err(note) = accepted(&response, &key, settings, trace) {
        return Err(reply.fail_with(Failure::Unexpected, note));
    }
    let stream = match line.switch(response).await {
        Ok(stream) => stream,
        Err(broken) => return Err(broken.end(reply)),
    };
    reply.pass_with("101, right key");
    let config = WebSocketConfig::default().max_message_size(Some(MOST)).max_frame_size(Some(MOST));
    Ok((WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await, far_side))
}

/// The upgrade request; none where a setting can't be written into one.
fn request(settings: &Websocket, ask: &Ask, key: &str) -> Option<Request<Outgoing>> {
    let path = settings.path.as_deref().unwrap_or("/");
    let uri: Uri = if path.starts_with('/') { path.parse().ok()? } else { format!("/{path}").parse().ok()? };
    let default_port = if settings.https.unwrap_or(false) { 443 } else { 80 };
    let host = if ask.port == default_port {
        let target = host_port(&ask.host, ask.port);
        target.strip_suffix(&format!(":{default_port}")).unwrap_or(&target).to_owned()
    } else {
        ask.target()
    };
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(uri)
        .header(header::HOST, host)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, key)
        .header(Token::HEADER, ask.token.as_str());
    if let Some(subprotocol) = &settings.subprotocol {
        request = request.header(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    if let Some(hold) = settings.hold {
        request = request.header(Websocket::HOLD_HEADER, whole_millis(hold.0));
    }
    request.body(Outgoing::nothing()).ok()
}

/// Publishes what the head of an answer says, and tells whose it is.
fn record_head(response: &Response<Incoming>, ask: &Ask, trace: &Trace) -> FarSide {
    let headers = response.headers();
    trace.fact(Fact::Status, response.status().as_u16());
    proxy::seen(headers, trace);
    if let Some(location) = headers.get(header::LOCATION) {
        trace.fact(Fact::Location, proxy::readable(location.as_bytes()));
    }
    let upgrade = lists(headers, &header::UPGRADE, "websocket") && lists(headers, &header::CONNECTION, "upgrade");
    trace.fact(Fact::UpgradeAnswer, upgrade);
    let responder = headers.get(Token::HEADER).is_some_and(|token| token.as_bytes() == ask.token.as_str().as_bytes());
    trace.fact(Fact::Echoed, responder);
    if responder { FarSide::Responder } else { FarSide::Service }
}

/// Whether a comma-separated header names this word (RFC 9110 5.6.1).
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// Checks a 101 as RFC 6455 4.1 asks of a client; the error says what is wrong with it.
fn accepted(response: &Response<Incoming>, key: &str, settings: &Websocket, trace: &Trace) -> Result<(), &'static str> {
    let headers = response.headers();
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_ACCEPT).iter();
    let right = derive_accept_key(key.as_bytes());
    let word = match (keys.next(), keys.next()) {
        (None, _) => "missing",
        (Some(only), None) if only.as_bytes() == right.as_bytes() => "right",
        _ => "wrong",
    };
    trace.fact(Fact::AcceptKey, word);
    if word != "right" {
        return Err("101 without the right key");
    }
    if !lists(headers, &header::UPGRADE, "websocket") || !lists(headers, &header::CONNECTION, "upgrade") {
        return Err("101 without Upgrade and Connection headers");
    }
    if let Some(chosen) = headers.get(header::SEC_WEBSOCKET_PROTOCOL) {
        trace.fact(Fact::Subprotocol, proxy::readable(chosen.as_bytes()));
        if settings.subprotocol.as_deref().map(str::as_bytes) != Some(chosen.as_bytes()) {
            return Err("another subprotocol was chosen");
        }
    }
    Ok(())
}

/// Publishes the beginning of the page that came instead of an upgrade.
async fn record_page(response: Response<Incoming>, trace: &Trace) {
    let mut body = response.into_body();
    if let Ok(Some(Ok(frame))) = timeout(PAGE, body.frame()).await
        && let Some(bytes) = frame.data_ref()
    {
        trace.fact(Fact::Banner, proxy::readable(bytes));
    }
}
