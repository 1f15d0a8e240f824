//! The asking half of WebSocket upgrades (RFC 6455).
//!
//! Only what the protocol guarantees decides for a real server: the upgrade and an answered ping. A responder shows itself
//! by repeating the token; with it data is tried both ways, and its push after the idle time is what a wake-up needs.

pub mod looks;
mod upgrade;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};

use crate::model::ask::Ask;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::Websocket;
use crate::net::channel::{self, Security, Tunnel};
use crate::net::trace::{OpenStep, Trace};
use crate::net::{Net, Stopped};
use upgrade::{FarSide, Socket};

/// How much later than this side's clock says a responder's push may come. TCP repeats a lost packet well within it.
const PUSH: Duration = Duration::from_secs(2);
/// How long the far side may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(300);

pub(super) async fn run(
    settings: &Websocket,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    trace.fact(Fact::Token, ask.token.as_str());
    let security = if settings.https.unwrap_or(false) { Security::Tls } else { Security::Plain };
    let stream = channel::open(ask, address, security, Tunnel::Always, net, trace).await?;
    let peer = address.to_string();
    let (socket, far_side) = upgrade::open(settings, ask, stream, &peer, trace).await?;
    let mut talk = Talk { socket, ask, trace, peer, pushed: false };
    talk.ping().await?;
    if far_side == FarSide::Responder {
        talk.echo().await?;
    }
    if let Some(hold) = settings.hold {
        let begun = Instant::now();
        talk.hold(hold.0, far_side).await?;
        talk.ping().await.inspect_err(|_| talk.died(begun))?;
        trace.fact(Fact::HeldMs, whole_millis(hold.0));
    }
    talk.goodbye().await;
    Ok(())
}

/// An open WebSocket and what it records into.
struct Talk<'a> {
    socket: Socket,
    ask: &'a Ask,
    trace: &'a Trace,
    peer: String,
    /// Whether a responder's push came.
    pushed: bool,
}

/// How listening ended.
enum Ending {
    /// The message that was listened for came.
    Came,
    /// A Close frame, with its code.
    Closed(u16),
    Broken(Error),
    /// The stream ended without a Close frame.
    Over,
}

impl Talk<'_> {
    fn begin(&self, kind: StepKind) -> OpenStep {
        self.trace.begin(kind, Some(self.peer.clone()))
    }

    /// A ping and its pong (RFC 6455 5.5.2, 5.5.3).
    async fn ping(&mut self) -> Result<(), Stopped> {
        let payload = Bytes::copy_from_slice(self.ask.token.as_str().as_bytes());
        self.trace.fact(Fact::Pong, false);
        self.exchange(Message::Ping(payload.clone()), Message::Pong(payload), "ping").await?;
        self.trace.fact(Fact::Pong, true);
        Ok(())
    }

    /// Text there and back, as responders do.
    async fn echo(&mut self) -> Result<(), Stopped> {
        let text = Message::text(self.ask.token.labelled());
        self.exchange(text.clone(), text, "text").await
    }

    /// Sends one message and waits for another; two steps.
    async fn exchange(&mut self, question: Message, answer: Message, what: &str) -> Result<(), Stopped> {
        let sending = self.begin(StepKind::Request);
        match self.socket.send(question).await {
            Ok(()) => sending.pass_with(format!("{what} sent")),
            Err(error) => return Err(self.fail(sending, Ending::Broken(error))),
        }
        let reply = self.begin(StepKind::Reply);
        match self.listen(Some(&answer)).await {
            Ending::Came => {
                reply.pass_with(format!("{what} answered"));
                Ok(())
            }
            ending => Err(self.fail(reply, ending)),
        }
    }

    /// Listens for one message; everything else that comes is left aside. Without one, listens for ever.
    async fn listen(&mut self, wanted: Option<&Message>) -> Ending {
        let push = self.push();
        loop {
            let message = match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => {
                    // RFC 6455 7.1.5: 1005 stands for a Close frame without a code.
                    return Ending::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(message)) => message,
                Some(Err(error)) => return Ending::Broken(error),
                None => return Ending::Over,
            };
            self.pushed |= message == push;
            if wanted == Some(&message) {
                return Ending::Came;
            }
        }
    }

    /// Says nothing for `time`, listening. A responder's push must then come before this side speaks again.
    async fn hold(&mut self, time: Duration, far_side: FarSide) -> Result<(), Stopped> {
        let step = self.begin(StepKind::Hold);
        let begun = Instant::now();
        let mut ending = timeout(time, self.listen(None)).await.ok();
        if far_side == FarSide::Responder && ending.is_none() {
            if !self.pushed {
                let push = self.push();
                ending = timeout(PUSH, self.listen(Some(&push))).await.ok();
            }
            self.trace.fact(Fact::Pushed, self.pushed);
        }
        match ending {
            None | Some(Ending::Came) => {
                step.pass_with(format!("idle for {} ms", whole_millis(time)));
                Ok(())
            }
            Some(ending) => {
                self.died(begun);
                Err(self.fail(step, ending))
            }
        }
    }

    /// What a responder says by itself after the idle time.
    fn push(&self) -> Message {
        Message::text(format!("{}{}", Websocket::PUSH_PREFIX, self.ask.token))
    }

    fn died(&self, begun: Instant) {
        self.trace.fact(Fact::DiedAfterMs, whole_millis(begun.elapsed()));
    }

    fn fail(&self, step: OpenStep, ending: Ending) -> Stopped {
        match ending {
            Ending::Closed(code) => {
                self.trace.fact(Fact::CloseCode, code);
                step.fail_with(Failure::Unexpected, format!("Close frame, code {code}"))
            }
            Ending::Broken(Error::Io(error)) => step.fail_io(&error),
            Ending::Broken(error) => step.fail(failure_of_frames(&error)),
            Ending::Came | Ending::Over => step.fail(Failure::Closed),
        }
    }

    /// Closes politely, without waiting long for the answer (RFC 6455 7.1.2).
    async fn goodbye(&mut self) {
        let _ = timeout(GOODBYE, async {
            self.socket.close(None).await?;
            while self.socket.next().await.is_some_and(|message| message.is_ok()) {}
            Ok::<(), Error>(())
        })
        .await;
    }
}

fn failure_of_frames(error: &Error) -> Failure {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
            Failure::Closed
        }
        Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_) | Error::AttackAttempt => Failure::Malformed,
        _ => Failure::Internal,
    }
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
