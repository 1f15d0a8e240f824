//! The same few functions for each platform, and the only place where unsafe code may be.

#[cfg(not(windows))]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub use linux::{
    ConnectionTable, Counters, ListeningPorts, Packets, RUN_SCRIPT, UNSEEN, accept_from_afar, allow_many_sockets,
    asked_to_end, delivery, failure_of_os_code, host_name, is_on_link, largest_packet, limit_segments, own_addresses,
    receive, repeated_requests, send_from, set_hops, system_proxies, take_icmp_arrival, thread_time, was_kept_back,
    watch_arrival, watch_destination, watch_icmp,
};
#[cfg(windows)]
pub use windows::{
    ConnectionTable, Counters, ListeningPorts, Packets, RUN_SCRIPT, UNSEEN, accept_from_afar, allow_many_sockets,
    asked_to_end, delivery, failure_of_os_code, host_name, is_on_link, largest_packet, limit_segments, own_addresses,
    receive, repeated_requests, send_from, set_hops, system_proxies, take_icmp_arrival, thread_time, was_kept_back,
    watch_arrival, watch_destination, watch_icmp,
};

/// What the system has counted since it started, of connection requests that never became connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Half-open connections that were ended by a reset or by an ICMP message.
    pub ended: u64,
    /// Requests that arrived and that the table of connections may not show: the listener's queue was full, or they
    /// were answered with a SYN cookie.
    pub untabled: u64,
}

/// How far the bytes of one TCP connection have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Bytes of this side that the far side's system has acknowledged.
    pub acknowledged: u64,
    /// The largest segment that this side has announced to take, in bytes.
    pub segment: u64,
    /// Segments that this side has sent again, the request for the connection included.
    pub repeated: u64,
}

/// Which way a packet passes an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// Whether others may reach this machine by an address of its own.
fn reachable(address: &std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        std::net::IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}
