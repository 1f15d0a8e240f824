//! Half-open connections, without privileges: by asking the kernel for them, or, where it can't be asked, from `/proc/net/tcp` and
//! `tcp6` (the kernel's `proc_net_tcp`).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::diag::{Question, Sockets};

/// The state `SYN_RECV`: a request came and was answered, and the answer has not been acknowledged.
const SYN_RECV: &[u8] = b"03";
const HALF_OPEN: Question = Question { states: 1 << 3, attribute: 0 };
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// The table of TCP connections of the network namespace in which it was opened.
pub struct ConnectionTable {
    way: Way,
}

enum Way {
    Asked(Sockets),
    Read(Vec<File>),
}

impl ConnectionTable {
    /// Nothing where the system has no such table.
    #[must_use]
    pub fn open() -> Option<Self> {
        if let Some(mut sockets) = Sockets::open()
            && sockets.ask(HALF_OPEN, |_| {}).is_ok()
        {
            return Some(Self { way: Way::Asked(sockets) });
        }
        Self::open_files()
    }

    fn open_files() -> Option<Self> {
        // The thread's, not the process's: threads may be in other network namespaces. An open file stays in its own.
        let files: Vec<File> = ["tcp", "tcp6"]
            .iter()
            .filter_map(|name| File::open(format!("/proc/thread-self/net/{name}")).ok())
            .collect();
        (!files.is_empty()).then_some(Self { way: Way::Read(files) })
    }

    /// The connections that are half-open now on these local ports: remote and local address. The kernel walks through
    /// all connections for it, which takes a millisecond on an idle machine, several where it has to be read, and more on a
    /// busy one.
    pub fn half_open(&mut self, ports: &[u16]) -> Vec<(SocketAddr, SocketAddr)> {
        let mut found = Vec::new();
        // What was told before an error still counts.
        match &mut self.way {
            Way::Asked(sockets) => {
                let _ = sockets.ask(HALF_OPEN, |body| {
                    found.extend(told(body).filter(|(_, local)| ports.contains(&local.port())));
                });
            }
            Way::Read(files) => {
                for file in files {
                    let _ =
                        file.rewind().and_then(|()| read(BufReader::with_capacity(CHUNK, &*file), ports, &mut found));
                }
            }
        }
        found
    }
}

/// An answer: family and state, then the ports, this side's first, and the addresses, 16 bytes for each.
fn told(body: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let is_v4 = i32::from(*body.first()?) == libc::AF_INET;
    let end = |port: usize, ip: usize| {
        let port = u16::from_be_bytes(*body.get(port..)?.first_chunk::<2>()?);
        let octets = body.get(ip..)?;
        let ip = if is_v4 {
            IpAddr::from(*octets.first_chunk::<4>()?)
        } else {
            IpAddr::from(*octets.first_chunk::<16>()?).to_canonical()
        };
        Some(SocketAddr::new(ip, port))
    };
    Some((end(6, 24)?, end(4, 8)?))
}

fn read(mut table: impl BufRead, ports: &[u16], found: &mut Vec<(SocketAddr, SocketAddr)>) -> io::Result<()> {
    let mut line = Vec::with_capacity(256);
    while table.read_until(b'\n', &mut line)? > 0 {
        found.extend(half_open(&line).filter(|(_, local)| ports.contains(&local.port())));
        line.clear();
    }
    Ok(())
}

/// A line such as `0: 0202090A:01BB 0201090A:BE50 03 …`: number, local, remote, state.
fn half_open(line: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    if state == SYN_RECV { Some((address(remote)?, address(local)?)) } else { None }
}

/// `0202090A:01BB`: the address in words of 32 bits as this machine holds them, the port as a number.
fn address(word: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = std::str::from_utf8(word).ok()?.split_once(':')?;
    let word_at = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word_at(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (at, bytes) in octets.chunks_exact_mut(4).enumerate() {
                bytes.copy_from_slice(&word_at(at * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0202090A:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5531 1 0 100 0 0 10 0
   1: 0202090A:01BB 0201090A:BE50 03 00000000:00000000 01:00000064 00000000     0        0 0 1 0
   2: 0202090A:01BB 0201090A:BE51 01 00000000:00000000 00:00000000 00000000     0        0 5534 1 0 20 4 30 10 -1
   3: 0202090A:0050 0201090A:BE52 03 00000000:00000000 01:00000064 00000000     0        0 0 1 0
   4: 020009FD000000000000000002000000:01BB 010009FD000000000000000002000000:D0DE 03 00000000:00000000 01:00000064 0
   5: 0000000000000000FFFF00000202090A:01BB 0000000000000000FFFF00000201090A:A30C 03 00000000:00000000 01:00000064 0
";

    #[test]
    fn only_half_open_connections_on_watched_ports_are_found() {
        let mut found = Vec::new();
        read(TABLE.as_bytes(), &[443], &mut found).expect("memory");
        let found: Vec<String> = found.iter().map(|(remote, local)| format!("{remote} {local}")).collect();
        let expected =
            ["10.9.1.2:48720 10.9.2.2:443", "[fd09:1::2]:53470 [fd09:2::2]:443", "10.9.1.2:41740 10.9.2.2:443"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_connection_that_nobody_has_accepted_is_not_half_open_and_both_ways_say_so() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = listener.local_addr().expect("bound");
        let _open = std::net::TcpStream::connect(at).expect("a listener");
        for table in [ConnectionTable::open(), ConnectionTable::open_files()] {
            assert_eq!(table.expect("a table").half_open(&[at.port()]), []);
        }
    }

    #[test]
    fn an_answer_of_the_kernel_is_read_in_both_families() {
        let v4 = [&[2, 3, 0, 0, 1, 187, 190, 80, 10, 9, 2, 2][..], &[0; 12], &[10, 9, 1, 2], &[0; 12]].concat();
        let mapped = |last: u8| [&[0; 10][..], &[255, 255, 10, 9, last, 2]].concat();
        let v6 = [&[10, 3, 0, 0, 1, 187, 190, 80][..], &mapped(2), &mapped(1)].concat();
        for body in [&v4, &v6] {
            let (remote, local) = told(body).expect("an answer");
            assert_eq!(format!("{remote} {local}"), "10.9.1.2:48720 10.9.2.2:443");
            assert!((0..27).all(|length| told(&body[..length]).is_none()));
        }
    }

    #[test]
    fn lines_that_are_no_connections_are_passed_over() {
        for line in
            ["", "\n", "   1: 0202090A", "1: 0202090A:01BB 0201090A:BE5000 03", "1: é:1 é:1 03", "1: 02:1 02:1 03"]
        {
            assert_eq!(half_open(line.as_bytes()), None, "{line:?}");
        }
    }
}
