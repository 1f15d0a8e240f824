//! The door: how a peer shows from which addresses its probes come, where address translation makes them look like strangers'.
//!
//! It is closed as a rule, and a stranger's connection then ends at once. While a peer that asked for it over the control
//! channel is showing itself, connections from unknown addresses are read for a moment, and datagrams looked at, for one
//! thing only: the word that this peer was told. Whoever says it is let in; nobody is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::{Admission, Limits, Peers};
use crate::model::token::Token;

/// The length of a word: 16 bytes in hexadecimal.
const WORD: usize = 32;

/// The doors that are open at the moment, one for each word.
#[derive(Debug, Default)]
pub struct Door {
    open: Mutex<Vec<Expected>>,
    /// How many are open, to be asked for every stranger.
    count: AtomicUsize,
}

/// Somebody who is about to show itself.
#[derive(Debug)]
struct Expected {
    word: String,
    until: Instant,
    met: Vec<Met>,
}

/// An address from which the word was said: a peer as long as this is kept.
#[derive(Debug)]
pub struct Met {
    pub address: IpAddr,
    _admission: Admission,
}

impl Door {
    /// Opens for whoever says the word that is given back, until it is closed or the time is up.
    pub fn open(&self, limits: &Limits) -> String {
        let word = uuid::Uuid::new_v4().simple().to_string();
        let mut open = self.lock();
        // Doors that nobody closed are closed by those that come after.
        open.retain(|expected| expected.until > Instant::now());
        open.push(Expected { word: word.clone(), until: Instant::now() + limits.door_time, met: Vec::new() });
        self.count.store(open.len(), Ordering::Relaxed);
        word
    }

    /// Closes it; who came in.
    pub fn close(&self, word: &str) -> Vec<Met> {
        let mut open = self.lock();
        let place = open.iter().position(|expected| expected.word == word);
        let met = place.map(|place| open.swap_remove(place).met).unwrap_or_default();
        self.count.store(open.len(), Ordering::Relaxed);
        met
    }

    pub(super) fn is_open(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.lock().iter().any(|expected| expected.until > Instant::now())
    }

    /// Reads what a stranger says first, for a bounded time and no more than a request's head takes.
    pub(super) async fn listen(
        &self,
        mut stream: impl AsyncRead + Unpin,
        from: SocketAddr,
        peers: &Peers,
        limits: &Limits,
    ) {
        let mut said = Vec::new();
        let listening = async {
            let mut buffer = [0; 1024];
            while said.len() < limits.stranger_bytes && !self.hear(&said, from.ip(), peers, limits, Peers::admit) {
                match stream.read(&mut buffer).await {
                    Ok(length @ 1..) => said.extend_from_slice(&buffer[..length]),
                    _ => return,
                }
            }
        };
        let _ = timeout(limits.door_reading, listening).await;
    }

    /// Looks at a datagram. Its source may be forged, so whoever it names gets little before a connection proves it.
    pub(super) fn look_at(&self, datagram: &[u8], from: SocketAddr, peers: &Peers, limits: &Limits) {
        if self.is_open() {
            self.hear(datagram, from.ip(), peers, limits, Peers::admit_named);
        }
    }

    /// Whether this says the word of somebody who is expected, who is then let in.
    fn hear(
        &self,
        said: &[u8],
        from: IpAddr,
        peers: &Peers,
        limits: &Limits,
        admit: fn(&Peers, IpAddr) -> Admission,
    ) -> bool {
        let Some(word) = word(said) else { return false };
        let address = from.to_canonical();
        let mut open = self.lock();
        let expected = open
            .iter_mut()
            .find(|expected| expected.until > Instant::now() && bool::from(word.ct_eq(expected.word.as_bytes())));
        let Some(expected) = expected else { return false };
        if expected.met.len() < limits.door_addresses && !peers.include(address) {
            expected.met.push(Met { address, _admission: admit(peers, address) });
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Expected>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The word in what somebody says: at once, or in a header of a request.
fn word(said: &[u8]) -> Option<&[u8]> {
    let before = Token::INTRODUCTION.as_bytes();
    let begin = said.windows(before.len()).position(|window| window == before)? + before.len();
    said.get(begin..begin + WORD)
}

/// Whether a datagram is somebody's word, which is no request of any protocol.
pub(super) fn is_word(datagram: &[u8]) -> bool {
    datagram.starts_with(Token::INTRODUCTION.as_bytes())
}
