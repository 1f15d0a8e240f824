//! The way in to the control channel: one path over TLS, open to strangers within strict limits, because whoever is to
//! become a peer comes from an address that is not known beforehand.
//!
//! What is said on the channel is the business of the hook. A stranger that asks for anything else is closed without an
//! answer, and leaves no receipt. Over plain HTTP there is no control channel.

mod guarded;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::metered::Metered;
use super::stream::{Gate, Onward, Visit};
use super::{Open, Shared, stream, websocket};
use crate::net::Stream;
use guarded::Guarded;

/// Whom the control channel is handed to: the upgraded stream, the far address and this side's.
type Meet = dyn Fn(Stream, SocketAddr, SocketAddr) -> BoxFuture<'static, ()> + Send + Sync;

/// What to do with a control channel, and on which path it is asked for.
///
/// The future lives as long as the channel may, and is dropped with the responder. It must prove and admit a stranger
/// ([`super::Peers::admit`]) within [`super::Limits::stranger_time`]: after that, whoever is still a stranger is closed.
#[derive(Clone)]
pub struct ControlHook {
    path: &'static str,
    meet: Arc<Meet>,
}

impl ControlHook {
    pub fn new<F, A>(path: &'static str, meet: F) -> Self
    where
        F: Fn(Stream, SocketAddr, SocketAddr) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self { path, meet: Arc::new(move |stream, from, at| meet(stream, from, at).boxed()) }
    }

    /// Grants a request that asks for the control channel: the 101, and the channel itself once that is sent. Nothing
    /// for any other request.
    pub(super) fn grant(
        &self,
        request: &mut Request<Incoming>,
        from: SocketAddr,
        at: SocketAddr,
        shared: &Shared,
    ) -> Option<(Response<Full<Bytes>>, BoxFuture<'static, ()>)> {
        if request.uri().path() != self.path {
            return None;
        }
        let response = websocket::accept(request)?;
        let (upgrade, meet, idle) = (hyper::upgrade::on(request), Arc::clone(&self.meet), shared.limits.idle);
        let channel = async move {
            if let Ok(Ok(upgraded)) = timeout(idle, upgrade).await {
                meet(Box::new(TokioIo::new(upgraded)), from, at).await;
            }
        };
        Some((response, channel.boxed()))
    }
}

impl fmt::Debug for ControlHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlHook").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PartialEq for ControlHook {
    /// The same hook, not one that does the same.
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && Arc::ptr_eq(&self.meet, &other.meet)
    }
}

impl Eq for ControlHook {}

/// Binds a port that serves the control channel and nothing else, to peers and strangers alike. Called within a Tokio
/// runtime.
///
/// # Errors
/// The port can't be bound: taken, or not allowed.
pub fn open_control(address: SocketAddr, shared: Arc<Shared>, hook: ControlHook) -> io::Result<Open> {
    stream::open(address, Gate::Control, shared, move |visit| answer(hook.clone(), visit))
}

/// Serves one request for the control channel; whatever else comes is closed without an answer.
pub(super) async fn answer(hook: ControlHook, visit: Visit) -> Onward {
    let Visit { stream, from, at, shared, .. } = visit;
    let limits = shared.limits;
    if shared.door.is_open() && !speaks_tls(&stream, limits.door_reading).await {
        shared.door.listen(stream, from, &shared.peers, &limits).await;
        return None;
    }
    let acceptor = shared.certificate.acceptor(&[b"http/1.1"]);
    let stream = timeout(limits.idle, acceptor.accept(stream)).await.ok()?.ok()?;
    let (guarded, pass) = Guarded::new(stream, limits.stranger_bytes, shared.peers.clone(), from.ip());
    let granted: Arc<Mutex<Onward>> = Arc::default();
    let keep = Arc::clone(&granted);
    let answering = service_fn(move |mut request| {
        let found = hook.grant(&mut request, from, at, &shared);
        let answer = found.map(|(response, channel)| {
            pass.grant();
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
            response
        });
        // An error closes the connection without an answer.
        std::future::ready(answer.ok_or_else(|| io::Error::from(io::ErrorKind::PermissionDenied)))
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.stranger_bytes.max(LEAST_BUFFER))
        .serve_connection(TokioIo::new(guarded), answering)
        .with_upgrades()
        .await;
    granted.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether a visitor begins as TLS does; whoever says nothing may still.
async fn speaks_tls(stream: &Metered, time: Duration) -> bool {
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    !matches!(timeout(time, stream.peek(&mut first)).await, Ok(Ok(1..))) || first[0] == HANDSHAKE
}

/// The smallest buffer with which hyper works.
const LEAST_BUFFER: usize = 8192;
