//! Showing the other side from which addresses this one's probes come: a word that it was told on the control channel is said
//! on the very ports of the flows, since address translation may treat each port differently.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::tcp;
use super::trace::Trace;
use crate::model::flow::Transport;
use crate::model::token::Token;

/// How long one port may take. What has not come by then does not come, or too late to be of use.
const TIME: Duration = Duration::from_secs(1);
/// How often a datagram is sent, and the pause between two.
const DATAGRAMS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Says the word at all of these places at once. Whether it arrived, only the other side knows.
pub async fn say(word: &str, places: &[(Transport, SocketAddr)]) {
    let text = [Token::INTRODUCTION, word].concat().into_bytes();
    let saying = places.iter().map(|(transport, place)| {
        let text = &text;
        async move {
            match transport {
                Transport::Tcp => drop(timeout(TIME, by_connection(*place, text)).await),
                Transport::Udp => drop(by_datagrams(*place, text).await),
            }
        }
    });
    join_all(saying).await;
}

async fn by_connection(place: SocketAddr, text: &[u8]) -> std::io::Result<()> {
    let trace = Trace::new(Instant::now());
    let Ok(mut connection) = tcp::connect(place, None, &trace).await else { return Ok(()) };
    connection.write_all(text).await?;
    // It is heard once the other side closes.
    while connection.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

async fn by_datagrams(place: SocketAddr, text: &[u8]) -> std::io::Result<()> {
    let any: std::net::IpAddr = if place.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    for _ in 0..DATAGRAMS {
        // An ICMP message about the one before is told here; the next may pass all the same.
        let _ = socket.send_to(text, place).await;
        sleep(PAUSE).await;
    }
    Ok(())
}
