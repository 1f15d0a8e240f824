//! UDP responders: binding, the receive loop, and the limits that hold for all of them.
//!
//! Only peers are answered. An address proves itself over TCP; of one that somebody else named it is not known whether
//! it wants these answers, so it gets few bytes of them until then.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::peers::Account;
use super::places::Room;
use super::stream::rest_after;
use super::{Open, Shared, door};
use crate::net::udp;

/// One peer's datagram. Its handler should keep a receipt.
pub(super) struct Letter {
    pub bytes: Vec<u8>,
    pub from: SocketAddr,
    pub at: SocketAddr,
    /// The address that it came to, which the answer must come from.
    to: Option<IpAddr>,
    /// The socket that it arrived on, for answers from the same port.
    socket: Arc<UdpSocket>,
    pub shared: Arc<Shared>,
    account: Arc<Account>,
}

impl Letter {
    /// Whether an answer of this length may go out.
    pub(super) fn may_answer(&self, length: usize) -> bool {
        self.account.gives_datagram(length, &self.shared.limits)
    }

    /// Answers from the same port.
    pub(super) async fn answer(&self, bytes: &[u8]) -> io::Result<usize> {
        udp::send_from(&self.socket, bytes, self.from, self.to).await
    }

    /// A socket on a new port of the same address, for this peer alone.
    pub(super) async fn new_socket(&self) -> io::Result<UdpSocket> {
        let scope = match self.from {
            SocketAddr::V6(from) => from.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let own: SocketAddr = match self.to.unwrap_or(self.at.ip()) {
            IpAddr::V4(own) => (own, 0).into(),
            IpAddr::V6(own) => SocketAddrV6::new(own, 0, 0, scope).into(),
        };
        let socket = UdpSocket::bind(own).await?;
        socket.connect(self.from).await?;
        Ok(socket)
    }
}

/// Binds `address` and hands every peer's datagram to `answer`, within the limits.
pub(super) async fn open<F, A>(address: SocketAddr, shared: Arc<Shared>, answer: F) -> io::Result<Open>
where
    F: Fn(Letter) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let socket = bind(address).await?;
    udp::watch_destination(&socket);
    let address = socket.local_addr()?;
    let task = tokio::spawn(receive(Arc::new(socket), address, shared, answer));
    Ok(Open { address, task })
}

/// Each family has a socket of its own, as with TCP: one for both would take the port from the other.
async fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    if address.is_ipv4() {
        return UdpSocket::bind(address).await;
    }
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_only_v6(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

async fn receive<F, A>(socket: Arc<UdpSocket>, at: SocketAddr, shared: Arc<Shared>, answer: F)
where
    F: Fn(Letter) -> A,
    A: Future<Output = ()> + Send + 'static,
{
    let limits = shared.limits;
    let places = Room::new(limits.datagrams, limits.datagrams_per_address);
    let mut conversations = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        while conversations.try_join_next().is_some() {}
        let (length, from, to) = match udp::receive(&socket, &mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // Windows tells of an ICMP message about an earlier answer here: nothing to do about it.
                rest_after(&error).await;
                continue;
            }
        };
        let Some(account) = shared.peers.account(from.ip()) else {
            shared.door.look_at(&buffer[..length], from, &shared.peers, &limits);
            continue;
        };
        if door::is_word(&buffer[..length]) {
            continue;
        }
        if !account.takes_datagram(length, &limits, Instant::now()) {
            continue;
        }
        let Some(seat) = places.seat(from.ip().to_canonical()) else { continue };
        let bytes = buffer[..length].to_vec();
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
        let conversation = answer(Letter { bytes, from, at, to, socket, shared, account });
        conversations.spawn(async move {
            let _held = seat;
            let _ = tokio::time::timeout(limits.conversation, conversation).await;
        });
    }
}
