//! What each listening TCP port has turned away (`sock_diag(7)`, `INET_DIAG_SKMEMINFO`), without privileges.
//!
//! The counters of the whole machine tell that half-open connections were ended; these tell on which port. A port counts
//! other things too (a late reset of a connection that is gone), so that only both together say something.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

const HEADER: usize = 16;
const REQUEST: usize = 56;
const ANSWER: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const TCP: u8 = 6;
const LISTEN: u32 = 1 << 10;
const SKMEMINFO: u16 = 7;
/// The place of the number of drops in what `SKMEMINFO` holds.
const DROPS: usize = 8;
/// Messages that are read at most for one question.
const MOST_READS: usize = 1000;

/// The listening ports of the network namespace in which it was opened.
pub struct ListeningPorts(OwnedFd);

impl ListeningPorts {
    /// Nothing where the system does not tell.
    #[must_use]
    pub fn open() -> Option<Self> {
        let protocol = SockProtocol::NetlinkSockDiag;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).ok()?;
        // The kernel answers at once; where it should not, nobody is to hang for it.
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(1, 0)).ok()?;
        let mut ports = Self(socket);
        ports.turned_away().map(|_| ports)
    }

    /// What each port has turned away since it was opened, all of its sockets together.
    pub fn turned_away(&mut self) -> Option<HashMap<u16, u64>> {
        let mut found = HashMap::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let family = u8::try_from(family).ok()?;
            sendto(self.0.as_raw_fd(), &question(family), &NetlinkAddr::new(0, 0), MsgFlags::empty()).ok()?;
            self.read(&mut found).ok()?;
        }
        Some(found)
    }

    fn read(&self, found: &mut HashMap<u16, u64>) -> io::Result<()> {
        let mut buffer = vec![0; 32 << 10];
        for _ in 0..MOST_READS {
            let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((kind, body, after)) = message(rest) {
                match kind {
                    DONE => return Ok(()),
                    ERROR => return Err(io::ErrorKind::Unsupported.into()),
                    _ => {
                        if let Some((port, drops)) = listener(body) {
                            *found.entry(port).or_default() += drops;
                        }
                    }
                }
                rest = after;
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Asks for all listening TCP sockets of one family, with their memory and their drops.
fn question(family: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    let length = u32::try_from(HEADER + REQUEST).unwrap_or_default();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    // No sequence, and to the kernel.
    bytes.extend([0; 8]);
    bytes.extend([family, TCP, 1 << (SKMEMINFO - 1), 0]);
    bytes.extend(LISTEN.to_ne_bytes());
    // Of any address and port.
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

/// The first of several messages: its kind, what it holds, and the rest.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(word(bytes, 0)?).ok()?;
    let body = bytes.get(HEADER..length)?;
    Some((pair(bytes, 4)?, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The port of a listening socket, and what it has turned away.
fn listener(body: &[u8]) -> Option<(u16, u64)> {
    let port = u16::from_be_bytes(*body.get(4..)?.first_chunk::<2>()?);
    let mut attributes = body.get(ANSWER..)?;
    loop {
        let length = usize::from(pair(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if pair(attributes, 2)? == SKMEMINFO {
            return Some((port, word(value, DROPS * 4)?.into()));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

fn pair(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_listening_port_is_there_and_has_turned_nothing_away() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mut ports = ListeningPorts::open().expect("a kernel that tells");
        assert_eq!(ports.turned_away().and_then(|found| found.get(&port).copied()), Some(0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panicking(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = message(&bytes);
            let _ = listener(&bytes);
        }
    }
}
