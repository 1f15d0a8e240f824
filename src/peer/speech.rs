//! One message each way: JSON texts in a WebSocket, bounded in size.

use std::io;

use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::message::MOST_BYTES;

/// Why a message did not come or go.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the other side closed the control channel")]
    Closed,
    #[error("the control channel broke: {0}")]
    Channel(#[from] Error),
    #[error("the other side said something that is no message of this version: {0}")]
    Nonsense(#[from] serde_json::Error),
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
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Waits for the next message; pings are answered on the way.
    ///
    /// # Errors
    /// The channel is closed or broken, or what came is not such a message.
    pub async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Broken> {
        while let Some(message) = self.socket.next().await {
            match message? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return Err(Broken::Closed),
                Message::Binary(_) | Message::Frame(_) => {
                    return Err(Error::Io(io::Error::from(io::ErrorKind::InvalidData)).into());
                }
            }
        }
        Err(Broken::Closed)
    }

    /// Ends the channel politely.
    pub async fn close(&mut self) {
        let _ = self.socket.close(None).await;
    }
}
