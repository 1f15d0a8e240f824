//! What Windows does not show or do without a driver: counters of half-open connections, and packets, neither of which can
//! be opened; and connections with a smaller segment size than the interface's.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::os::windows::io::AsSocket;

use socket2::Socket;

use crate::sys::{Counts, Delivery, Direction};

/// How far the bytes of a connection have come: not asked here.
#[must_use]
pub fn delivery(_socket: &impl AsSocket) -> Option<Delivery> {
    None
}

/// The documented options of Winsock have none for it.
///
/// # Errors
/// Always.
pub fn limit_segments(_socket: &Socket, _bytes: u16) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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
    pub fn lost(&self) -> bool {
        match self.0 {}
    }

    #[must_use]
    pub fn is_own(&self, _ip: IpAddr) -> bool {
        match self.0 {}
    }
}
