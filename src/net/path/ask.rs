//! One packet whose time to live is limited, or whose answer must have come from afar, and what comes back.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpSocket, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::model::evidence::{Failure, Icmp};
use crate::model::way::{Answered, Said};
use crate::net::failure;
use crate::sys;

/// The packets of one kind to one port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Packets {
    pub target: SocketAddr,
    pub source: Option<IpAddr>,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Connection requests.
    Tcp,
    /// Datagrams with these bytes.
    Udp(Vec<u8>),
}

/// The limits of one packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// The time to live that it is sent with.
    pub ttl: Option<u8>,
    /// The least time to live with which an answer counts.
    pub least: Option<u8>,
}

/// What one packet brings: that its time was up on the way, or another answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    TimeUp {
        by: IpAddr,
        arrived: Option<u8>,
    },
    Answer(Answered),
    Nothing,
    /// Nothing, and this machine's own firewall took the packet.
    KeptBack,
    /// This machine did not get to send it.
    Unasked,
}

impl Brought {
    /// Whether this machine itself kept the packet back; nothing where it was not asked.
    pub(super) fn kept_back(self) -> Option<bool> {
        (self != Self::Unasked).then_some(self == Self::KeptBack)
    }
}

/// Packets that all looks together may have on their way: the checks themselves need sockets too.
static ON_THEIR_WAY: Semaphore = Semaphore::const_new(256);

/// Between two looks at a socket that seemed to have something.
const PAUSE: Duration = Duration::from_millis(5);

/// Sends one packet and waits this long for what it brings; the system, or this, sends it once more within that time.
pub(super) async fn ask(packets: &Packets, limits: Limits, patience: Duration) -> Brought {
    let Ok(_place) = ON_THEIR_WAY.acquire().await else { return Brought::Unasked };
    let Ok(socket) = prepare(packets, limits) else { return Brought::Unasked };
    let Ok(watch) = socket.try_clone() else { return Brought::Unasked };
    let heard = match &packets.kind {
        Kind::Tcp => connect(socket, packets.target, patience).await,
        Kind::Udp(bytes) => send(socket, packets.target, bytes, patience).await,
    };
    let heard = heard.unwrap_or_else(|error| failure::of_io(&error).0.into());
    let brought = brought(heard, sys::take_icmp_arrival(&watch), limits);
    let kept_back =
        packets.kind == Kind::Tcp && brought == Brought::Nothing && sys::was_kept_back(&watch) == Some(true);
    if kept_back { Brought::KeptBack } else { brought }
}

/// What the socket itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Accepted,
    Refused,
    KeptBack,
    Nothing,
}

impl From<Failure> for Heard {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused => Self::Refused,
            // What is cut was open: a request that is refused ends in another error.
            Failure::Reset => Self::Accepted,
            Failure::Denied => Self::KeptBack,
            _ => Self::Nothing,
        }
    }
}

fn brought(heard: Heard, icmp: Option<(Icmp, Option<u8>)>, limits: Limits) -> Brought {
    let said = match (heard, icmp) {
        (Heard::Accepted, _) => Said::Accepted,
        (_, Some((icmp, arrived))) => {
            if let Some(by) = icmp.from.filter(|_| is_time_up(icmp)) {
                return Brought::TimeUp { by, arrived };
            }
            return Brought::Answer(Answered { ttl: limits.ttl, said: Said::Rejected, arrived, icmp: Some(icmp) });
        }
        (Heard::Refused, None) => Said::Refused,
        (Heard::KeptBack, None) => Said::KeptBack,
        (Heard::Nothing, None) => return Brought::Nothing,
    };
    Brought::Answer(Answered { ttl: limits.ttl, said, arrived: None, icmp: None })
}

fn is_time_up(icmp: Icmp) -> bool {
    matches!((icmp.v6, icmp.kind, icmp.code), (false, 11, 0) | (true, 3, 0))
}

pub(super) fn prepare(packets: &Packets, limits: Limits) -> io::Result<Socket> {
    let target = packets.target;
    let (kind, protocol) = match packets.kind {
        Kind::Tcp => (Type::STREAM, Protocol::TCP),
        Kind::Udp(_) => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(Domain::for_address(target), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if let Some(source) = packets.source.filter(|source| source.is_ipv4() == target.is_ipv4()) {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    if let Some(ttl) = limits.ttl {
        sys::set_hops(&socket, ttl, target.is_ipv6())?;
    }
    if limits.least.is_some_and(|least| !sys::accept_from_afar(&socket, least, target.is_ipv6())) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    sys::watch_icmp(&socket);
    sys::watch_arrival(&socket);
    Ok(socket)
}

async fn connect(socket: Socket, target: SocketAddr, patience: Duration) -> io::Result<Heard> {
    let socket = TcpSocket::from_std_stream(socket.into());
    match timeout(patience, socket.connect(target)).await {
        Ok(opened) => opened.map(|_| Heard::Accepted),
        Err(_) => Ok(Heard::Nothing),
    }
}

async fn send(socket: Socket, target: SocketAddr, bytes: &[u8], patience: Duration) -> io::Result<Heard> {
    // Connected, so that an answer from another port is turned away and its sender gives up.
    socket.connect(&target.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    for _ in 0..2 {
        socket.send(bytes).await?;
        if let Ok(came) = timeout(patience / 2, hear(&socket)).await {
            return came.map(|_| Heard::Accepted);
        }
    }
    Ok(Heard::Nothing)
}

/// Waits until something comes. A system may call a socket readable that has nothing to read; tokio's own `recv` asks on and on
/// without a pause then, which keeps every time limit from its turn.
async fn hear(socket: &UdpSocket) -> io::Result<usize> {
    loop {
        socket.ready(Interest::READABLE | Interest::ERROR).await?;
        match SockRef::from(socket).recv(&mut [MaybeUninit::uninit()]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE).await,
            came => return came,
        }
    }
}
