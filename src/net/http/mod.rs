//! One HTTP/1.1 connection (RFC 9112) over any stream: requests out, answers in, and what really passed while they did.
//!
//! [`Conversation`] adds to hyper what a diagnosis needs: an answer that comes before the whole body was taken is seen as
//! an answer and not as a reset, bytes sent before any question are read as the answer to it, and every failure is one
//! of the closed list. Proxies are in [`super::proxy`]; what is asked and how answers are judged is left to others.

mod broken;
mod outgoing;
mod watch;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use super::trace::Trace;
use super::{Stopped, Stream};
use crate::model::evidence::{Failure, StepKind};
use watch::{Watch, Watched};

pub use broken::Broken;
pub use outgoing::Outgoing;

/// Bytes of an answer's head that are read at most: an endless head ends as malformed.
const MOST_HEAD: usize = 64 << 10;
/// Bytes of a body that are thrown away at most to keep a connection usable.
const MOST_DRAINED: usize = 256 << 10;

/// A connection on which requests are asked one after another.
pub struct Conversation {
    sender: SendRequest<Outgoing>,
    driver: Driver,
    watch: Arc<Watch>,
}

/// The task that moves the bytes; it ends with its owner.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Conversation {
    /// Prepares a stream for requests; nothing is sent yet.
    ///
    /// # Errors
    /// [`Stopped`] where hyper refuses, which is the tool's own trouble.
    pub async fn open(stream: Stream, trace: &Trace) -> Result<Self, Stopped> {
        let watch = Arc::new(Watch::default());
        let watched = Watched::new(stream, Arc::clone(&watch));
        let opened = http1::Builder::new().max_buf_size(MOST_HEAD).handshake(TokioIo::new(watched)).await;
        let Ok((sender, connection)) = opened else {
            return Err(trace.begin(StepKind::Request, None).fail(Failure::Internal));
        };
        let driver = Driver(tokio::spawn(async move {
            // Its failures reach whoever waits for the answer or its body.
            let _ = connection.with_upgrades().await;
        }));
        Ok(Self { sender, driver, watch })
    }

    /// Publishes the time of the first byte, what is not HTTP, and the body's bytes sent, as they happen.
    pub fn publish(&self, trace: &Trace) {
        self.watch.publish(trace.clone());
    }

    /// Begins to send a request; the future ends when an answer's head has arrived.
    ///
    /// # Errors
    /// [`Broken`] where the connection ended first, or what arrived is not HTTP.
    pub fn ask(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, Broken>> + use<> {
        self.watch.begin(request.body().total());
        let answer = self.sender.send_request(request);
        let watch = Arc::clone(&self.watch);
        async move { answer.await.map_err(|error| Broken::of(&error, watch.write_error())) }
    }

    /// Waits until the transport has taken the last byte of the request that was asked last.
    pub fn sent(&self) -> impl Future<Output = ()> + use<> {
        let watch = Arc::clone(&self.watch);
        async move { watch.sent().await }
    }

    /// Waits until the connection has ended.
    pub async fn ended(&mut self) {
        let _ = (&mut self.driver.0).await;
    }

    /// What a failure while reading an answer's body stands for.
    #[must_use]
    pub fn broken(&self, error: &hyper::Error) -> Broken {
        Broken::of(error, self.watch.write_error())
    }

    /// Reads the rest of an answer away; whether another request may follow on this connection.
    pub async fn settle(&mut self, answer: Response<Incoming>) -> bool {
        use http_body_util::BodyExt;
        let mut body = answer.into_body();
        let mut drained = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            drained += frame.data_ref().map_or(0, bytes::Bytes::len);
            if drained > MOST_DRAINED {
                return false;
            }
        }
        self.sender.ready().await.is_ok()
    }

    /// The bare stream behind an answer that switched protocols (CONNECT, or an upgrade).
    ///
    /// # Errors
    /// [`Broken`] where the connection ended instead.
    pub async fn switch(self, answer: Response<Incoming>) -> Result<Stream, Broken> {
        match hyper::upgrade::on(answer).await {
            Ok(upgraded) => {
                self.watch.release();
                Ok(Box::new(TokioIo::new(upgraded)))
            }
            Err(error) => Err(Broken::of(&error, self.watch.write_error())),
        }
    }
}
