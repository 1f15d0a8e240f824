//! What Windows does not show without a driver: counters of half-open connections, and packets, neither of which can be
//! opened; and how often a connection request was repeated.

use std::convert::Infallible;
use std::net::IpAddr;

use crate::sys::{Counts, Direction};

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

/// Connection requests that were sent again: not read on this system.
#[must_use]
pub fn repeated_requests<S>(_socket: &S) -> Option<u32> {
    None
}
