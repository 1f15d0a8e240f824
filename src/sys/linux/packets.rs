//! Packets as they pass the interfaces (packet(7)); needs `CAP_NET_RAW`.
//!
//! A packet that arrives is seen before this host's firewall, one that leaves after it.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
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
    lost: AtomicBool,
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
        Some(Self { socket, lost: AtomicBool::new(false), own: Mutex::default() })
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
        let mut notes = message.cmsgs().ok().into_iter().flatten();
        if notes.any(|note| matches!(note, ControlMessageOwned::RxqOvfl(lost) if lost > 0)) {
            self.lost.store(true, Ordering::Relaxed);
        }
        let direction = message.address.map(|link| match link.pkttype() {
            libc::PACKET_OUTGOING => Direction::Out,
            _ => Direction::In,
        });
        let length = message.bytes;
        Some((buffer.get(..length)?, direction))
    }

    /// Whether packets came faster than they were read, so that some were never seen.
    #[must_use]
    pub fn lost(&self) -> bool {
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

/// Lets through TCP packets with SYN and all of UDP, so that the transfers of a busy machine are not even copied
/// (classic BPF; offsets are from the IP header).
fn filter() -> [SockFilter; 24] {
    const BYTE: u16 = 0x30;
    const BYTE_FROM_X: u16 = 0x50;
    const PAIR: u16 = 0x28;
    const SHIFT_RIGHT: u16 = 0x74;
    const HEADER_LENGTH_TO_X: u16 = 0xb1;
    const IF_EQUAL: u16 = 0x15;
    const IF_ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    let step = |code, then, otherwise, value| SockFilter::new(code, then, otherwise, value);
    [
        step(BYTE, 0, 0, 0),
        step(SHIFT_RIGHT, 0, 0, 4),
        step(IF_EQUAL, 1, 0, 4),
        step(IF_EQUAL, 8, 19, 6),
        // IPv4: the protocol; for TCP the fragment's offset and the flags.
        step(BYTE, 0, 0, 9),
        step(IF_EQUAL, 16, 0, 17),
        step(IF_EQUAL, 0, 16, 6),
        step(PAIR, 0, 0, 6),
        step(IF_ANY_BIT, 14, 0, 0x1fff),
        step(HEADER_LENGTH_TO_X, 0, 0, 0),
        step(BYTE_FROM_X, 0, 0, 13),
        step(IF_ANY_BIT, 10, 11, 0x02),
        // IPv6: the next header; for TCP the flags. Behind extension headers nothing is decided here.
        step(BYTE, 0, 0, 6),
        step(IF_EQUAL, 8, 0, 17),
        step(IF_EQUAL, 0, 2, 6),
        step(BYTE, 0, 0, 53),
        step(IF_ANY_BIT, 5, 6, 0x02),
        step(IF_EQUAL, 4, 0, 0),
        step(IF_EQUAL, 3, 0, 43),
        step(IF_EQUAL, 2, 0, 44),
        step(IF_EQUAL, 1, 0, 51),
        step(IF_EQUAL, 0, 1, 60),
        step(RETURN, 0, 0, KEPT),
        step(RETURN, 0, 0, 0),
    ]
}
