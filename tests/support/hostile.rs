//! Peers that misbehave on purpose.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

/// How a hostile TCP peer behaves towards every connection.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Accepts and never says a word.
    Silent,
    /// Accepts and closes at once.
    Closing,
    /// Accepts and resets at once.
    Resetting,
    /// Reads the first bytes, then resets.
    ResettingOnPayload,
    /// Reads the first bytes, answers with these, then closes.
    Saying(Vec<u8>),
    /// Reads the first bytes, answers with these, then says nothing more.
    SayingThenSilent(Vec<u8>),
    /// Reads the first bytes, then sends these one byte a second.
    Dripping(Vec<u8>),
    /// Reads the first bytes, sends these, then the second text over and over.
    Endless(Vec<u8>, Vec<u8>),
}

/// A hostile peer on a free port of 127.0.0.1; it ends when dropped.
pub struct Hostile {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Some bytes that are no protocol at all.
pub fn garbage() -> Vec<u8> {
    (0..600u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect()
}

impl Hostile {
    pub async fn tcp(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(behave(stream, manner.clone()));
            }
        });
        Self { address, task }
    }

    /// A UDP peer that answers each datagram with what `answer` makes of it, in order.
    pub async fn udp(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                for datagram in answer(&buffer[..length]) {
                    let _ = socket.send_to(&datagram, from).await;
                }
            }
        });
        Self { address, task }
    }
}

/// A port of 127.0.0.1 on which nothing listens.
pub async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("bound").port()
}

async fn behave(mut stream: TcpStream, manner: Manner) {
    let mut buffer = [0; 4096];
    match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Closing => drop(stream),
        Manner::Resetting => reset(&stream),
        Manner::ResettingOnPayload => {
            let _ = stream.read(&mut buffer).await;
            reset(&stream);
        }
        Manner::Saying(bytes) => {
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Manner::SayingThenSilent(bytes) => {
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Manner::Dripping(bytes) => {
            let _ = stream.read(&mut buffer).await;
            for byte in bytes {
                let _ = stream.write_all(&[byte]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Manner::Endless(first, again) => {
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(&first).await;
            while stream.write_all(&again).await.is_ok() {}
        }
    }
}

fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("linger");
}
