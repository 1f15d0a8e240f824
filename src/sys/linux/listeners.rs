//! What each listening TCP port has turned away (`INET_DIAG_SKMEMINFO`), without privileges.
//!
//! The counters of the whole machine tell that half-open connections were ended; these tell on which port. A port counts
//! other things too (a late reset of a connection that is gone), so that only both together say something.

use std::collections::HashMap;

use super::diag::{ANSWER, Question, Sockets, pair, word};

const LISTEN: u32 = 1 << 10;
const SKMEMINFO: u16 = 7;
/// The place of the number of drops in what `SKMEMINFO` holds.
const DROPS: usize = 8;

/// The listening ports of the network namespace in which it was opened.
pub struct ListeningPorts(Sockets);

impl ListeningPorts {
    /// Nothing where the system does not tell.
    #[must_use]
    pub fn open() -> Option<Self> {
        let mut ports = Self(Sockets::open()?);
        ports.turned_away().map(|_| ports)
    }

    /// What each port has turned away since it was opened, all of its sockets together.
    pub fn turned_away(&mut self) -> Option<HashMap<u16, u64>> {
        let mut found = HashMap::new();
        let question = Question { states: LISTEN, attribute: SKMEMINFO };
        let asked = self.0.ask(question, |body| {
            if let Some((port, drops)) = listener(body) {
                *found.entry(port).or_default() += drops;
            }
        });
        asked.ok().map(|()| found)
    }
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
            let _ = listener(&bytes);
        }
    }
}
