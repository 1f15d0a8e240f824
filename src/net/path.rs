//! The way to a target, seen with ordinary sockets: packets to the very port whose time to live ends on the way make the
//! devices on it answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::trace::Trace;
use crate::model::evidence::Icmp;
use crate::model::fact::Fact;
use crate::model::flow::Transport;
use crate::sys;

/// How long one packet may take to be answered.
const PATIENCE: Duration = Duration::from_secs(1);
/// Hops that are asked at the same time.
const AT_ONCE: u8 = 4;
/// The farthest hop that is asked.
const FARTHEST: u8 = 16;

/// Records the devices on the way that say that a packet's time was up, nearest first.
pub async fn sweep(transport: Transport, target: SocketAddr, source: Option<IpAddr>, trace: &Trace) {
    if transport != Transport::Tcp {
        return;
    }
    let mut hops = Vec::new();
    for first in (1..=FARTHEST).step_by(usize::from(AT_ONCE)) {
        let batch = join_all((first..first + AT_ONCE).map(|ttl| ask(target, source, ttl))).await;
        let found: Vec<_> = (first..).zip(batch).filter_map(|(ttl, icmp)| Some((ttl, expired(icmp?)?))).collect();
        if found.is_empty() {
            break;
        }
        hops.extend(found.iter().map(|(ttl, address)| json!({"ttl": ttl, "address": address})));
        trace.fact(Fact::Hops, hops.clone());
    }
}

/// The device at which a packet's time was up.
fn expired(icmp: Icmp) -> Option<IpAddr> {
    matches!((icmp.v6, icmp.kind, icmp.code), (false, 11, 0) | (true, 3, 0)).then_some(icmp.from).flatten()
}

/// The ICMP message that answers a connection request with this time to live.
async fn ask(target: SocketAddr, source: Option<IpAddr>, ttl: u8) -> Option<Icmp> {
    let (socket, watch) = prepare(target, source, ttl).ok()?;
    let _ = timeout(PATIENCE, socket.connect(target)).await;
    sys::take_icmp(&watch)
}

fn prepare(target: SocketAddr, source: Option<IpAddr>, ttl: u8) -> io::Result<(TcpSocket, Socket)> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(source) = source.filter(|source| source.is_ipv4() == target.is_ipv4()) {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    if target.is_ipv4() {
        socket.set_ttl_v4(ttl.into())?;
    } else {
        socket.set_unicast_hops_v6(ttl.into())?;
    }
    sys::watch_icmp(&socket);
    let watch = socket.try_clone()?;
    Ok((TcpSocket::from_std_stream(socket.into()), watch))
}
