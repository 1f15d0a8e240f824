//! UDP sockets that are never connected (a TFTP server answers from another port) and still learn of ICMP errors.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Stopped;
use super::failure::of_io;
use super::trace::{OpenStep, Trace};
use crate::model::evidence::{Failure, Icmp, StepKind};
use crate::model::fact::Fact;
use crate::sys;
pub use crate::sys::{receive, send_from, watch_destination};

/// A UDP socket of the family of one peer.
pub struct Datagrams {
    socket: UdpSocket,
}

/// Why no datagram came.
#[derive(Debug)]
pub struct NoDatagram {
    pub error: io::Error,
    /// The ICMP message behind it, and the time to live with which it arrived, where the system tells.
    pub icmp: Option<(Icmp, Option<u8>)>,
}

impl NoDatagram {
    /// Ends a step with this reason.
    pub fn end(&self, step: OpenStep) -> Stopped {
        step.fail_icmp(&self.error, self.icmp)
    }

    #[must_use]
    pub fn failure(&self) -> Failure {
        super::failure::of_io(&self.error).0
    }
}

impl Datagrams {
    /// Opens a socket from which `peer` can be asked; one step, so that a local refusal is told from silence.
    ///
    /// # Errors
    /// [`Stopped`] where this machine can't open or bind the socket.
    pub fn open(peer: SocketAddr, source: Option<IpAddr>, trace: &Trace) -> Result<Self, Stopped> {
        let step = trace.begin(StepKind::Connect, Some(peer.to_string()));
        match Self::bind(peer, source) {
            Ok(datagrams) => {
                if let Ok(local) = datagrams.socket.local_addr() {
                    let ip = if local.ip().is_unspecified() { route_from(peer) } else { None };
                    let local = SocketAddr::new(ip.unwrap_or(local.ip()), local.port());
                    trace.fact(Fact::LocalAddress, local.to_string());
                }
                step.pass_with("socket ready; nothing sent yet");
                Ok(datagrams)
            }
            Err(error) => Err(step.fail_io(&error)),
        }
    }

    fn bind(peer: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        let any = if peer.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let local = source.filter(|source| source.is_ipv4() == peer.is_ipv4()).unwrap_or(any);
        socket.bind(&SocketAddr::new(local, 0).into())?;
        sys::watch_icmp(&socket);
        sys::watch_arrival(&socket);
        Ok(Self { socket: UdpSocket::from_std(socket.into())? })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`NoDatagram`] where the system refuses, at once or because of an earlier ICMP error.
    pub async fn send(&self, datagram: &[u8], to: SocketAddr) -> Result<(), NoDatagram> {
        match self.socket.send_to(datagram, to).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Waits for one datagram from anybody, without a time limit of its own.
    ///
    /// # Errors
    /// [`NoDatagram`] where an ICMP error came instead.
    pub async fn receive<'b>(&self, buffer: &'b mut [u8]) -> Result<(&'b [u8], SocketAddr), NoDatagram> {
        match self.socket.recv_from(buffer).await {
            Ok((length, from)) => Ok((&buffer[..length], from)),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn explain(&self, error: io::Error) -> NoDatagram {
        let icmp = sys::take_icmp_arrival(&self.socket);
        NoDatagram { error, icmp }
    }
}

/// The largest packet that this system would send to `peer` in one piece, in bytes, where it tells.
#[must_use]
pub fn largest_packet(peer: SocketAddr) -> Option<u16> {
    sys::largest_packet(peer)
}

/// The address from which this system speaks to `peer`, which tells its own ICMP messages from those of others. Connecting
/// a datagram socket only looks the route up; nothing is sent.
pub(super) fn route_from(peer: SocketAddr) -> Option<IpAddr> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP)).ok()?;
    socket.connect(&peer.into()).ok()?;
    Some(socket.local_addr().ok()?.as_socket()?.ip())
}

/// Whether this system has a route to `peer`. Of addresses that hold on one link only, the link is not known here.
#[must_use]
pub fn has_way_to(peer: SocketAddr) -> bool {
    let of_one_link = matches!(peer.ip(), IpAddr::V6(v6) if v6.is_unicast_link_local());
    let Ok(socket) = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP)) else { return true };
    let refused = |error: io::Error| matches!(of_io(&error).0, Failure::NetworkUnreachable | Failure::HostUnreachable);
    of_one_link || !socket.connect(&peer.into()).is_err_and(refused)
}
