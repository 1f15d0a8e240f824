//! The answering half of HTTP(S) requests (RFC 9110); WebSocket upgrades on the same port are handed over.
//!
//! Every request is answered with a page that says what this is; `?bytes=N` asks for a page of `N` bytes. Bodies are
//! counted and thrown away. Who may connect at all is settled in [`super::stream`]; strangers that are let in ask for the
//! control channel ([`super::control`]) and for nothing else.

mod steady;
mod visitor;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::control::{self, ControlHook};
use super::metered::Metered;
use super::stream::{Gate, Onward, Standing, Visit};
use super::{Open, Shared, stream};
use crate::model::probe::Protocol;
use crate::net::Stream;
use crate::net::count::{Counted, Counter};
use steady::Steady;
use visitor::Visitor;
pub(super) use visitor::kept;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    pub https: bool,
    /// Who gets the control channel, where this port has it; not over plain HTTP.
    pub control: Option<ControlHook>,
}

impl Service {
    fn hook(&self) -> Option<&ControlHook> {
        self.control.as_ref().filter(|_| self.https)
    }
}

/// Bytes of a request's head that are read at most.
const MOST_HEAD: usize = 32 << 10;
/// Headers of a request that are read at most.
const MOST_HEADERS: usize = 64;

/// Binds `address`; strangers are let in where the port has the control channel.
pub(super) fn open(service: Service, address: SocketAddr, shared: Arc<Shared>) -> io::Result<Open> {
    let gate = if service.hook().is_some() { Gate::Control } else { Gate::Closed };
    let answer = move |visit: Visit| {
        let service = service.clone();
        async move {
            match (visit.standing, service.hook()) {
                (Standing::Peer, _) => answer(service, visit).await,
                (Standing::Stranger, Some(hook)) => control::answer(hook.clone(), visit).await,
                (Standing::Stranger, None) => None,
            }
        }
    };
    stream::open(address, gate, shared, answer)
}

/// Answers a peer.
async fn answer(service: Service, visit: Visit) -> Onward {
    let Visit { stream, from, at, shared, .. } = visit;
    let idle = shared.limits.idle;
    // How far the other side got tells something, also where no request comes.
    let unasked = |bytes: Arc<Counter>| {
        let receipt = shared.receipts.counting(Protocol::Http, (from, at), bytes, 0);
        receipt.note(|receipt| receipt.presented = service.https.then(|| shared.certificate.fingerprint.clone()));
        receipt
    };
    let wire = Counted::new(stream);
    let (bytes, shaking) = (wire.counter(), unasked(wire.counter()));
    let Some(stream) = secured(&service, wire, &shared).await else {
        shaking.note(|receipt| receipt.sent_bytes = bytes.sent());
        return None;
    };
    let counted = Counted::new(Steady::new(stream, idle));
    let unasked = unasked(counted.counter());
    shaking.cancel();
    let visitor = Arc::new(Visitor::new(service, Arc::clone(&shared), (from, at), counted.counter(), unasked));
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
    visitor.onward()
}

/// The stream on which HTTP is spoken; nothing where the TLS handshake fails or takes too long.
async fn secured(service: &Service, stream: Counted<Metered>, shared: &Shared) -> Option<Stream> {
    if !service.https {
        return Some(Box::new(stream));
    }
    let acceptor = shared.certificate.acceptor(&[b"http/1.1"]);
    let secured = tokio::time::timeout(shared.limits.idle, acceptor.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(secured))
}
