//! What Windows does not show or do without a driver: counters of half-open connections, of all and by port, packets, how far answers and bytes
//! have come, and connections with a smaller segment size than the interface's.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::windows::io::AsSocket;
use std::time::Duration;

use socket2::Socket;
use tokio::net::UdpSocket;

use crate::model::evidence::Icmp;
use crate::sys::{Counts, Delivery, Direction};

/// How far the bytes of a connection have come: not asked here.
#[must_use]
pub fn delivery(_socket: &impl AsSocket) -> Option<Delivery> {
    None
}

/// The largest packet that this system would send to an address in one piece: not asked here.
#[must_use]
pub fn largest_packet(_to: std::net::SocketAddr) -> Option<u16> {
    None
}

/// The documented options of Winsock have none for it.
///
/// # Errors
/// Always.
pub fn limit_segments(_socket: &Socket, _bytes: u16) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// How long the calling thread has computed: told too coarsely to measure single looks.
#[must_use]
pub fn thread_time() -> Option<Duration> {
    None
}

/// What this system does not tell of the way.
pub const UNSEEN: &[&str] = &[
    "which device answers datagrams with ICMP",
    "how many routers an answer has passed",
    "whether this machine's own firewall kept a connection request back",
];

/// An ICMP error and the time to live with which it arrived, which this system does not tell.
#[must_use]
pub fn take_icmp_arrival(socket: &impl AsSocket) -> Option<(Icmp, Option<u8>)> {
    super::take_icmp(socket).map(|icmp| (icmp, None))
}

/// The time to live of ICMP errors is not told.
pub fn watch_arrival(_socket: &impl AsSocket) {}

/// Answers can't be told apart by their time to live.
#[must_use]
pub fn accept_from_afar(_socket: &impl AsSocket, _least: u8, _v6: bool) -> bool {
    false
}

/// Whether an address is reached without a router is not asked.
#[must_use]
pub fn is_on_link(_address: IpAddr) -> Option<bool> {
    None
}

/// Packets that its own firewall keeps back end the connect at once with an error: there is nothing to read.
#[must_use]
pub fn was_kept_back<S>(_socket: &S) -> Option<bool> {
    None
}

/// Counters of half-open connections.
pub struct Counters(Infallible);

impl Counters {
    #[must_use]
    pub fn open() -> Option<Self> {
        None
    }

    pub fn read(&mut self) -> Option<Counts> {
        match self.0 {}
    }
}

/// What each listening port has turned away.
pub struct ListeningPorts(Infallible);

impl ListeningPorts {
    #[must_use]
    pub fn open() -> Option<Self> {
        None
    }

    pub fn turned_away(&mut self) -> Option<HashMap<u16, u64>> {
        match self.0 {}
    }
}

/// Packets as they pass the interfaces.
pub struct Packets(Infallible);

impl Packets {
    pub const BYTES: usize = 0;

    #[must_use]
    pub fn open() -> Option<Self> {
        None
    }

    #[must_use]
    pub fn wait(&self) -> bool {
        match self.0 {}
    }

    pub fn next<'b>(&self, _buffer: &'b mut [u8]) -> Option<(&'b [u8], Option<Direction>)> {
        match self.0 {}
    }

    #[must_use]
    pub fn lost(&self) -> u32 {
        match self.0 {}
    }

    #[must_use]
    pub fn is_own(&self, _ip: IpAddr) -> bool {
        match self.0 {}
    }
}

/// The address that datagrams come to is not asked for.
pub fn watch_destination(_socket: &UdpSocket) {}

/// The next datagram: its length and who sent it.
///
/// # Errors
/// The system's own.
pub async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let (length, from) = socket.recv_from(buffer).await?;
    Ok((length, from, None))
}

/// Sends a datagram, from the address that the routes prefer.
///
/// # Errors
/// The system's own.
pub async fn send_from(socket: &UdpSocket, bytes: &[u8], to: SocketAddr, _from: Option<IpAddr>) -> io::Result<usize> {
    socket.send_to(bytes, to).await
}

/// Connection requests that were sent again: not read on this system.
#[must_use]
pub fn repeated_requests<S>(_socket: &S) -> Option<u32> {
    None
}
