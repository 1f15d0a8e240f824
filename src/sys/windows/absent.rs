//! What Windows does not show without a driver: counters of half-open connections, and packets. Neither can be opened.

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
