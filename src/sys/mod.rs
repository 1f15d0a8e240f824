//! The same few functions for each platform, and the only place where unsafe code may be.

#[cfg(not(windows))]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub use linux::{allow_many_sockets, failure_of_os_code, host_name, own_addresses, take_icmp, watch_icmp};
#[cfg(windows)]
pub use windows::{allow_many_sockets, failure_of_os_code, host_name, own_addresses, take_icmp, watch_icmp};

/// Whether others may reach this machine by an address of its own.
fn reachable(address: &std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        std::net::IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}
