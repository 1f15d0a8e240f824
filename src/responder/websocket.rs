//! The answering half of WebSocket upgrades (RFC 6455), on connections that the HTTP responder hands over.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::Shared;

/// Answers a request that asks for an upgrade to WebSocket.
pub(super) fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    from: SocketAddr,
    at: SocketAddr,
) -> Response<Full<Bytes>> {
    let _ = (request, shared, from, at);
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NOT_IMPLEMENTED;
    answer
}
