//! Packets as they pass the interfaces (packet(7)); needs `CAP_NET_RAW`.
//!
//! A packet that arrives is seen before this host's firewall, one that leaves after it.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recv, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::sys::Direction;

/// Bytes that the kernel may keep until they are read.
const BUFFER: usize = 8 << 20;
/// The longest wait for a packet.
const WAIT: Duration = Duration::from_millis(100);
/// Bytes that are kept of each packet: enough for the headers.
const KEPT: u32 = 256;
/// Addresses of which it is remembered whether they are this host's.
const MOST_ADDRESSES: usize = 256;

/// A socket that sees every packet of the network namespace in which it was opened.
pub struct Packets {
    socket: Socket,
    lost: AtomicU32,
    own: Mutex<HashMap<IpAddr, bool>>,
}

impl Packets {
    /// Bytes that a buffer for one packet needs.
    pub const BYTES: usize = KEPT as usize;

    /// Nothing without the privilege.
    #[must_use]
    pub fn open() -> Option<Self> {
        let every = i32::from(u16::try_from(libc::ETH_P_ALL).ok()?.to_be());
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(every))).ok()?;
        // Beyond the system's limit with privileges, else as large as that allows.
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            let _ = socket.set_recv_buffer_size(BUFFER);
        }
        // Without the filter all is still read; only slower.
        let _ = socket.attach_filter(&filter());
        setsockopt(&socket, sockopt::RxqOvfl, &1).ok()?;
        socket.set_read_timeout(Some(WAIT)).ok()?;
        Some(Self { socket, lost: AtomicU32::default(), own: Mutex::default() })
    }

    /// Waits a little for a packet and leaves it where it is; whether there is one.
    #[must_use]
    pub fn wait(&self) -> bool {
        match recv(self.socket.as_raw_fd(), &mut [0; 1], MsgFlags::MSG_PEEK) {
            Ok(_) => true,
            Err(Errno::EAGAIN | Errno::EINTR) => false,
            Err(_) => {
                // So that an error that lasts does not turn the wait into a spin.
                std::thread::sleep(WAIT);
                false
            }
        }
    }

    /// The next packet that has come, from its IP header on, without waiting; its direction where the system tells.
    pub fn next<'b>(&self, buffer: &'b mut [u8]) -> Option<(&'b [u8], Option<Direction>)> {
        let mut control = nix::cmsg_space!(u32);
        let mut slices = [IoSliceMut::new(buffer)];
        let descriptor = self.socket.as_raw_fd();
        let message = recvmsg::<LinkAddr>(descriptor, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT).ok()?;
        for note in message.cmsgs().ok().into_iter().flatten() {
            if let ControlMessageOwned::RxqOvfl(lost) = note {
                self.lost.fetch_max(lost, Ordering::Relaxed);
            }
        }
        let direction = message.address.map(|link| match link.pkttype() {
            libc::PACKET_OUTGOING => Direction::Out,
            _ => Direction::In,
        });
        let length = message.bytes;
        Some((buffer.get(..length)?, direction))
    }

    /// How many packets were never seen so far, as they came faster than they were read.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether an address is this host's: packets that it only forwards are none of its own.
    #[must_use]
    pub fn is_own(&self, ip: IpAddr) -> bool {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.len() >= MOST_ADDRESSES {
            own.clear();
        }
        *own.entry(ip).or_insert_with(|| can_be_bound(ip))
    }
}

/// The kernel lets a socket have an address only where packets to it are delivered here, by whatever rule.
fn can_be_bound(ip: IpAddr) -> bool {
    let refused = |error: &io::Error| error.kind() == ErrorKind::AddrNotAvailable;
    !UdpSocket::bind((ip, 0)).as_ref().is_err_and(refused)
}

/// Lets through TCP packets with SYN or RST, ICMP errors and all of UDP, so that the transfers of a busy machine are not
/// even copied (classic BPF; offsets are from the IP header, jumps are written as the places that they lead to).
fn filter() -> Vec<SockFilter> {
    const BYTE: u16 = 0x30;
    const BYTE_FROM_X: u16 = 0x50;
    const PAIR: u16 = 0x28;
    const SHIFT_RIGHT: u16 = 0x74;
    const HEADER_LENGTH_TO_X: u16 = 0xb1;
    const IF_EQUAL: u16 = 0x15;
    const IF_ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const V6: u8 = 16;
    const KEEP: u8 = 30;
    const DROP: u8 = 31;
    const SYN_OR_RST: u32 = 0x06;
    let steps: [(u16, u8, u8, u32); 32] = [
        (BYTE, 0, 0, 0),
        (SHIFT_RIGHT, 0, 0, 4),
        (IF_EQUAL, 4, 3, 4),
        (IF_EQUAL, V6, DROP, 6),
        // 4, IPv4: no later fragments; the protocol; for TCP the flags, for ICMP the type.
        (PAIR, 0, 0, 6),
        (IF_ANY_BIT, DROP, 6, 0x1fff),
        (HEADER_LENGTH_TO_X, 0, 0, 0),
        (BYTE, 0, 0, 9),
        (IF_EQUAL, KEEP, 9, 17),
        (IF_EQUAL, 10, 12, 6),
        (BYTE_FROM_X, 0, 0, 13),
        (IF_ANY_BIT, KEEP, DROP, SYN_OR_RST),
        (IF_EQUAL, 13, DROP, 1),
        (BYTE_FROM_X, 0, 0, 0),
        (IF_EQUAL, KEEP, 15, 3),
        (IF_EQUAL, KEEP, DROP, 11),
        // 16, IPv6: the next header; for TCP the flags, for ICMP the type. Behind extension headers nothing is decided here.
        (BYTE, 0, 0, 6),
        (IF_EQUAL, KEEP, 18, 17),
        (IF_EQUAL, 19, 21, 6),
        (BYTE, 0, 0, 53),
        (IF_ANY_BIT, KEEP, DROP, SYN_OR_RST),
        (IF_EQUAL, 22, 25, 58),
        (BYTE, 0, 0, 40),
        (IF_EQUAL, KEEP, 24, 1),
        (IF_EQUAL, KEEP, DROP, 3),
        (IF_EQUAL, KEEP, 26, 0),
        (IF_EQUAL, KEEP, 27, 43),
        (IF_EQUAL, KEEP, 28, 44),
        (IF_EQUAL, KEEP, 29, 51),
        (IF_EQUAL, KEEP, DROP, 60),
        (RETURN, 0, 0, KEPT),
        (RETURN, 0, 0, 0),
    ];
    // The kernel counts a jump from the step behind it; steps that do not jump name no place.
    let ahead = |place: u8, at: u8| place.saturating_sub(at + 1);
    let numbered = (0..).zip(steps);
    numbered
        .map(|(at, (code, then, otherwise, value))| SockFilter::new(code, ahead(then, at), ahead(otherwise, at), value))
        .collect()
}
