//! The same few functions for each platform, and the only place where unsafe code may be.

#[cfg(not(windows))]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub use linux::{allow_many_sockets, failure_of_os_code, host_name, take_icmp, watch_icmp};
#[cfg(windows)]
pub use windows::{allow_many_sockets, failure_of_os_code, host_name, take_icmp, watch_icmp};
