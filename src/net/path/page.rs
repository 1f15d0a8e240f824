//! From how far away an answer comes on an open connection: whoever accepts in a host's name (a SYN proxy) need not be the
//! one who answers.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::ask::{Limits, Packets, prepare};
use crate::sys;

/// How long a connection, and then an answer from as near as the one who accepts, may take.
const NEAR: Duration = Duration::from_millis(500);
/// How long one from farther away may take: its sender repeats what was not heard.
const FARTHER: Duration = Duration::from_millis(1500);

/// Whether the answer to `request` comes from farther away than what accepted, whose packets arrived with a time to live of
/// `accepted`. Nothing where the system can't tell, or nothing answers.
pub(super) async fn comes_farther(packets: &Packets, accepted: u8, request: &[u8]) -> Option<bool> {
    let socket = prepare(packets, Limits::default()).ok()?;
    let (limit, v6) = (socket.try_clone().ok()?, packets.target.is_ipv6());
    let opening = TcpSocket::from_std_stream(socket.into()).connect(packets.target);
    let mut stream = timeout(NEAR, opening).await.ok()?.ok()?;
    if !sys::accept_from_afar(&limit, accepted, v6) {
        return None;
    }
    stream.write_all(request).await.ok()?;
    if let Ok(came) = timeout(NEAR, stream.read_u8()).await {
        return came.ok().map(|_| false);
    }
    let _ = sys::accept_from_afar(&limit, 0, v6);
    timeout(FARTHER, stream.read_u8()).await.ok()?.ok().map(|_| true)
}
