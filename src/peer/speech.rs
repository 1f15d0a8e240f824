//! One message each way: JSON texts in a WebSocket, bounded in size, and kept alive by pings while nothing is said.

use std::future::Future;
use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::message::MOST_BYTES;

/// After so much silence a ping is sent: firewalls, proxies and address translation forget connections that are silent, and
/// one that cuts the flows for it within seconds must not cut the channel that is to tell so.
const PING: Duration = Duration::from_millis(500);
/// Who says nothing for so long, and answers no ping, is not there any more.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a goodbye may take.
const CLOSING: Duration = Duration::from_secs(5);
/// How long one message may take to be taken from here.
const SAYING: Duration = Duration::from_secs(60);

/// Why a message did not come or go.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the other side closed it")]
    Closed,
    #[error("the other side did not answer for {} seconds", SILENCE.as_secs())]
    Silent,
    #[error("{0}")]
    Channel(#[from] Error),
    #[error("the other side said something that is no message of this version: {0}")]
    Nonsense(#[from] serde_json::Error),
}

/// What came first.
pub(super) enum First<W, M> {
    /// The work was done.
    Done(W),
    /// The other side said something.
    Heard(M),
}

/// A control channel that speaks in messages.
pub struct Speech<S> {
    socket: WebSocketStream<S>,
}

/// The bounds of one message.
pub(super) fn bounds() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Speech<S> {
    /// Over a stream on which the upgrade is done.
    pub async fn over(stream: S, role: Role) -> Self {
        Self { socket: WebSocketStream::from_raw_socket(stream, role, Some(bounds())).await }
    }

    /// Over a WebSocket that was opened with [`bounds`].
    pub fn of(socket: WebSocketStream<S>) -> Self {
        Self { socket }
    }

    /// Says one message.
    ///
    /// # Errors
    /// The channel is broken.
    pub async fn say(&mut self, message: &impl Serialize) -> Result<(), Broken> {
        let text = serde_json::to_string(message)?;
        timeout(SAYING, self.socket.send(Message::text(text))).await.map_err(|_| Broken::Silent)??;
        Ok(())
    }

    /// Waits for the next message, however long the other side takes for it, as long as it is there.
    ///
    /// # Errors
    /// The channel is closed or broken, the other side is gone, or what came is not such a message.
    pub async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Broken> {
        let (mut heard, mut next_ping) = (Instant::now(), Instant::now() + PING);
        loop {
            let Ok(message) = timeout_at(next_ping.min(heard + SILENCE), self.socket.next()).await else {
                if heard.elapsed() >= SILENCE {
                    return Err(Broken::Silent);
                }
                let ping = self.socket.send(Message::Ping(Bytes::new()));
                timeout_at(heard + SILENCE, ping).await.map_err(|_| Broken::Silent)??;
                next_ping = Instant::now() + PING;
                continue;
            };
            (heard, next_ping) = (Instant::now(), Instant::now() + PING);
            match message.ok_or(Broken::Closed)?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return Err(Broken::Closed),
                Message::Binary(_) | Message::Frame(_) => {
                    return Err(Error::Io(io::Error::from(io::ErrorKind::InvalidData)).into());
                }
            }
        }
    }

    /// Keeps the channel alive while work is done. What the other side says meanwhile ends the waiting.
    ///
    /// # Errors
    /// As [`Speech::hear`], before the work was done.
    pub(super) async fn during<W: Future, M: DeserializeOwned>(
        &mut self,
        work: W,
    ) -> Result<First<W::Output, M>, Broken> {
        tokio::select! {
            biased;
            done = work => Ok(First::Done(done)),
            heard = self.hear() => Ok(First::Heard(heard?)),
        }
    }

    /// Ends the channel politely.
    pub async fn close(&mut self) {
        let _ = timeout(CLOSING, self.socket.close(None)).await;
    }
}
