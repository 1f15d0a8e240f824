//! What Linux tells of the way of packets, without privileges (ip(7), ipv6(7)): their time to live, given and left, whether
//! a router is needed at all, and how large a packet may be.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

/// What this system does not tell of the way.
pub const UNSEEN: &[&str] = &[];

/// Packets of this socket pass only so many routers.
///
/// # Errors
/// The system's own.
pub fn set_hops(socket: &Socket, hops: u8, v6: bool) -> std::io::Result<()> {
    if v6 { socket.set_unicast_hops_v6(hops.into()) } else { socket.set_ttl_v4(hops.into()) }
}

/// Asks the kernel to keep, beside ICMP errors, the time to live with which they arrive.
pub fn watch_arrival(socket: &impl AsFd) {
    // Without it the distance stays unknown: no error.
    let _ = setsockopt(socket, sockopt::Ipv4RecvTtl, &true);
    let _ = setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true);
}

/// Has the kernel ignore answers that arrive with a smaller time to live, also those to a connection request.
/// Whether it will.
#[must_use]
pub fn accept_from_afar(socket: &impl AsFd, least: u8, v6: bool) -> bool {
    let (level, option) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT) } else { (libc::IPPROTO_IP, libc::IP_MINTTL) };
    set_number(socket, level, option, i32::from(least))
}

#[expect(unsafe_code, reason = "these options have no safe wrapper")]
fn set_number(socket: &impl AsFd, level: i32, option: i32, value: i32) -> bool {
    let Ok(size) = libc::socklen_t::try_from(size_of::<i32>()) else { return false };
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the option takes an int, which `value` is for the whole call.
    let result = unsafe { libc::setsockopt(descriptor, level, option, (&raw const value).cast(), size) };
    result == 0
}

/// Whether an address is reached without a router. Nothing where the system does not say.
#[must_use]
pub fn is_on_link(address: IpAddr) -> Option<bool> {
    if address.is_ipv6() {
        // The option that asks does nothing there.
        return None;
    }
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).ok()?;
    setsockopt(&socket, sockopt::DontRoute, &true).ok()?;
    match socket.connect(&SocketAddr::new(address, 9).into()) {
        Ok(()) => Some(true),
        Err(error) if error.raw_os_error() == Some(Errno::ENETUNREACH as i32) => Some(false),
        Err(_) => None,
    }
}

/// The largest packet that this system would send to an address without cutting it into fragments, in bytes: its interface's
/// size, or what the way was found to carry.
#[must_use]
pub fn largest_packet(to: SocketAddr) -> Option<u16> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP)).ok()?;
    // Only looks the route up; nothing is sent.
    socket.connect(&to.into()).ok()?;
    let (level, option) =
        if to.is_ipv6() { (libc::IPPROTO_IPV6, libc::IPV6_MTU) } else { (libc::IPPROTO_IP, libc::IP_MTU) };
    number(&socket, level, option).and_then(|bytes| u16::try_from(bytes).ok())
}

#[expect(unsafe_code, reason = "these options have no safe wrapper")]
fn number(socket: &impl AsFd, level: i32, option: i32) -> Option<i32> {
    let mut value = 0;
    let mut size = libc::socklen_t::try_from(size_of::<i32>()).ok()?;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the option gives an int, for which `value` has room for the whole call.
    let result = unsafe { libc::getsockopt(descriptor, level, option, (&raw mut value).cast(), &raw mut size) };
    (result == 0).then_some(value)
}
