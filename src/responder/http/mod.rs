//! The answering half of HTTP(S) requests (RFC 9110); WebSocket upgrades on the same port are handed over.
//!
//! Every request is answered with a page that says what this is; `?bytes=N` asks for a page of `N` bytes. Bodies are
//! counted and thrown away. Who may connect at all is settled in [`super::stream`].

mod steady;
mod visitor;

use std::convert::Infallible;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::Shared;
use super::stream::Visit;
use crate::model::probe::Protocol;
use crate::model::run::Receipt;
use crate::net::Stream;
use crate::net::count::{Counted, Counter};
use steady::Steady;
use visitor::Visitor;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub https: bool,
}

/// Bytes of a request's head that are read at most.
const MOST_HEAD: usize = 32 << 10;
/// Headers of a request that are read at most.
const MOST_HEADERS: usize = 64;

pub(super) async fn answer(service: Service, visit: Visit) {
    let Visit { stream, from, at, shared } = visit;
    let idle = shared.limits.idle;
    // Without it small answers wait for acknowledgements; a socket that can't is still usable.
    let _ = stream.set_nodelay(true);
    let mut unasked = shared.receipts.draft(Protocol::Http, from, at);
    unasked.presented = service.https.then(|| shared.certificate.fingerprint.clone());
    let wire = Counted::new(stream);
    let bytes = wire.counter();
    let Some(stream) = secured(&service, wire, &shared).await else {
        keep(unasked, &bytes, &shared);
        return;
    };
    let counted = Counted::new(Steady::new(stream, idle));
    let bytes = counted.counter();
    let visitor = Arc::new(Visitor::new(Arc::clone(&shared), from, at, service.https, counted.counter()));
    let guest = Arc::clone(&visitor);
    let answering = service_fn(move |request| {
        let visitor = Arc::clone(&guest);
        async move { Ok::<_, Infallible>(visitor.answer(request).await) }
    });
    // However the connection ends, each request on it has its receipt.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MOST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(counted), answering)
        .with_upgrades()
        .await;
    if !visitor.has_asked() {
        keep(unasked, &bytes, &shared);
    }
}

/// Keeps the receipt of a connection on which no request came: how far the other side got still tells something.
fn keep(mut unasked: Receipt, bytes: &Counter, shared: &Shared) {
    unasked.received_bytes = bytes.received();
    unasked.sent_bytes = bytes.sent();
    shared.receipts.keep(unasked);
}

/// The stream on which HTTP is spoken; nothing where the TLS handshake fails or takes too long.
async fn secured(service: &Service, stream: Counted<TcpStream>, shared: &Shared) -> Option<Stream> {
    if !service.https {
        return Some(Box::new(stream));
    }
    let acceptor = shared.certificate.acceptor(&[b"http/1.1"]);
    let secured = tokio::time::timeout(shared.limits.idle, acceptor.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(secured))
}
