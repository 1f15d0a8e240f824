//! Every bound on what peers and strangers may use on ports, in one place; `docs/security.md` lists them for users.

use std::time::Duration;

/// Bounds on what may be used, and what happens at each of them.
///
/// A connection over a bound in number is closed at once without a byte, a datagram over one is ignored; neither leaves
/// a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of all peers at once, on one port. One more is closed.
    pub connections: usize,
    /// Connections of all peers at once, on all ports together. One more is closed.
    pub connections_overall: usize,
    /// Connections of one address at once, on all ports together. One more is closed.
    pub connections_per_address: usize,
    /// A connection on which nothing moves for this long is closed; so is one whose TLS handshake, or the head of whose
    /// request, takes longer.
    pub idle: Duration,
    /// A connection is closed after this long, whatever it does. A WebSocket gets the idle time that it announced on top.
    pub conversation: Duration,
    /// Bytes of one request that are read before the connection is closed; HTTP says 413 first.
    pub request_bytes: u64,
    /// Bytes that one peer may exchange over TCP, and send in datagrams, for as long as it is a peer. After that its
    /// connections break and its datagrams are ignored.
    pub bytes_per_peer: u64,
    /// Datagrams that are being answered at once, on one port. One more is ignored.
    pub datagrams: usize,
    /// Datagrams of one address that are being answered at once, on one port. One more is ignored.
    pub datagrams_per_address: usize,
    /// Datagrams of one peer that are looked at each second, on all ports together; as many again may come at once.
    pub datagrams_per_second: u32,
    /// Bytes of datagrams that go to an address that somebody else named, until a TCP connection from it shows that it is
    /// there. After that its datagrams are not answered.
    pub unproved_bytes: u64,
    /// Strangers that are let in to the control channel at once, on all ports together. For one more the oldest of the address
    /// that has most is closed.
    pub strangers: usize,
    /// Strangers of one address (of one /64 network in IPv6) at once. One more is closed.
    pub strangers_per_address: usize,
    /// How long a stranger has for TLS and its request, and then again to prove itself. After that it is closed.
    pub stranger_time: Duration,
    /// Bytes of a stranger's request, and then again of what it says to prove itself. With more it is closed.
    pub stranger_bytes: usize,
    /// How long a door may be open for a peer that shows itself. After that nobody is listened to there.
    pub door_time: Duration,
    /// How long a stranger is listened to at an open door. After that it is closed.
    pub door_reading: Duration,
    /// Strangers that are listened to at open doors at once, on all ports together. One more is closed.
    pub door_places: usize,
    /// Strangers of one address (of one /64 network in IPv6) that are listened to at once. One more is closed.
    pub door_places_per_address: usize,
    /// Addresses that one peer may show at the door. Further ones stay strangers.
    pub door_addresses: usize,
    /// Receipts that are kept. Later ones are counted only. One address fills half of the room at most.
    pub receipts: usize,
    /// Bytes of receipts that are kept, likewise.
    pub receipt_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_overall: 2048,
            connections_per_address: 1024,
            idle: Duration::from_secs(10),
            conversation: Duration::from_secs(900),
            request_bytes: 64 << 20,
            bytes_per_peer: 2 << 30,
            datagrams: 512,
            datagrams_per_address: 512,
            datagrams_per_second: 2000,
            unproved_bytes: 16 << 10,
            strangers: 512,
            strangers_per_address: 16,
            stranger_time: Duration::from_secs(20),
            stranger_bytes: 4096,
            door_time: Duration::from_secs(10),
            door_reading: Duration::from_secs(2),
            door_places: 64,
            door_places_per_address: 16,
            door_addresses: 8,
            receipts: 10_000,
            receipt_bytes: 8 << 20,
        }
    }
}
