//! Linux: ICMP behind failures from the socket's error queue (`IP_RECVERR`, ip(7)), without privileges.
//!
//! What passes before any program sees it is in [`table`], [`counters`], [`listeners`] and [`packets`]; how far a connection's
//! bytes have come is in [`delivery`].

mod counters;
mod datagrams;
mod delivery;
mod diag;
mod ending;
mod listeners;
mod packets;
mod repeats;
mod table;
mod way;

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};

pub use counters::Counters;
pub use datagrams::{receive, send_from, watch_destination};
pub use delivery::{delivery, limit_segments};
pub use ending::asked_to_end;
pub use listeners::ListeningPorts;
pub use packets::Packets;
pub use repeats::{repeated_requests, was_kept_back};
pub use table::ConnectionTable;
pub use way::{UNSEEN, accept_from_afar, is_on_link, largest_packet, set_hops, watch_arrival};

use crate::model::evidence::{Failure, Icmp};

/// How long the calling thread has computed; waiting for its turn does not count.
pub fn thread_time() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
}

/// Asks the kernel to keep ICMP errors for this socket, of the family that it is of.
pub fn watch_icmp(socket: &impl AsFd) {
    // A kernel that can't is a kernel that tells less: no error.
    let _ = setsockopt(socket, sockopt::Ipv4RecvErr, &true);
    let _ = setsockopt(socket, sockopt::Ipv6RecvErr, &true);
}

/// The ICMP error that the kernel keeps for this socket, and the time to live with which the message arrived, where the
/// socket is set to [`watch_arrival`].
#[must_use]
pub fn take_icmp_arrival(socket: &impl AsFd) -> Option<(Icmp, Option<u8>)> {
    let mut payload = [0u8; 256];
    let mut slices = [IoSliceMut::new(&mut payload)];
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, libc::c_int);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let descriptor = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(descriptor, &mut slices, Some(&mut control), flags).ok()?;
    let mut arrival = None;
    let mut found = None;
    for entry in message.cmsgs().ok()? {
        match entry {
            ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                arrival = u8::try_from(ttl).ok();
            }
            ControlMessageOwned::Ipv4RecvErr(error, sender) if error.ee_origin == libc::SO_EE_ORIGIN_ICMP => {
                let from = sender.map(|s| IpAddr::V4(Ipv4Addr::from(u32::from_be(s.sin_addr.s_addr))));
                found = Some(Icmp { kind: error.ee_type, code: error.ee_code, from, v6: false });
            }
            ControlMessageOwned::Ipv6RecvErr(error, sender) if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 => {
                let from = sender.map(|s| IpAddr::V6(Ipv6Addr::from(s.sin6_addr.s6_addr)));
                found = Some(Icmp { kind: error.ee_type, code: error.ee_code, from, v6: true });
            }
            _ => (),
        }
    }
    found.map(|icmp| (icmp, arrival))
}

/// OS codes for which `ErrorKind` has no word of its own (see errno(3) and the kernel's `icmp_err_convert`).
#[must_use]
pub fn failure_of_os_code(code: i32) -> Option<Failure> {
    match code {
        libc::ENOPROTOOPT | libc::EPROTO | libc::EOPNOTSUPP | libc::EMSGSIZE => Some(Failure::Rejected),
        libc::EHOSTDOWN | libc::EHOSTUNREACH => Some(Failure::HostUnreachable),
        // EINVAL is what connect(2) answers on a `blackhole` route.
        libc::ENONET | libc::EINVAL => Some(Failure::NetworkUnreachable),
        libc::EMFILE | libc::ENFILE => Some(Failure::NoMoreSockets),
        _ => None,
    }
}

/// Lets this program open as many sockets as the system permits it: a profile may have more flows than the 1024 files
/// that programs may hold at first.
pub fn allow_many_sockets() {
    // Where the limit can't be read or raised, what does not fit is told check by check.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// The system's proxy settings: none here, where every desktop has its own and services read the environment.
#[must_use]
pub fn system_proxies() -> Vec<crate::model::ask::SystemProxy> {
    Vec::new()
}

/// Runs scripts that choose proxies: no setting that is read here has one.
pub const RUN_SCRIPT: Option<crate::model::ask::RunScript> = None;

/// The name of this machine.
#[must_use]
pub fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".to_owned())
}

/// This machine's addresses that others may reach it by: neither loopback nor link-local.
#[must_use]
pub fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let addresses = interfaces.filter_map(|interface| {
        let storage = interface.address?;
        let v4 = storage.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    let mut addresses: Vec<IpAddr> = addresses.filter(super::reachable).collect();
    addresses.dedup();
    addresses
}
