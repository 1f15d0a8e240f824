//! The answering half of HTTP(S) requests, and WebSocket upgrades on the same port.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::stream::Visit;
use super::websocket;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {}

pub(super) async fn answer(service: Service, visit: Visit) {
    let _ = service;
    let Visit { stream, from, at, shared } = visit;
    let answer = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            Ok::<_, Infallible>(if websocket::is_upgrade(&request) {
                websocket::answer(request, shared, from, at)
            } else {
                Response::new(Full::<Bytes>::default())
            })
        }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).with_upgrades().await;
}
