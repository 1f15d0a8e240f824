//! Windows: ICMP behind failed connects from `TCP_ICMP_ERROR_INFO` (Windows 10 2004 and newer).
//!
//! Half-open connections are read in [`table`]; what this system does not show is in [`absent`].
#![expect(unsafe_code, reason = "Winsock options have no safe wrapper")]

mod absent;
mod ending;
mod proxies;
mod script;
mod table;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::windows::io::{AsRawSocket, AsSocket};

pub use absent::{
    Counters, ListeningPorts, Packets, UNSEEN, accept_from_afar, delivery, is_on_link, largest_packet, limit_segments,
    receive, repeated_requests, send_from, take_icmp_arrival, thread_time, was_kept_back, watch_arrival,
    watch_destination,
};
pub use ending::asked_to_end;
pub use proxies::system_proxies;
pub use script::RUN_SCRIPT;
pub use table::ConnectionTable;
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, FALSE, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{GetExtendedTcpTable, TCP_TABLE_OWNER_PID_ALL};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, ICMP_ERROR_INFO, INVALID_SOCKET, IPPROTO_TCP, SOCKET, TCP_FAIL_CONNECT_ON_ICMP_ERROR,
    TCP_ICMP_ERROR_INFO, WSAEACCES, WSAEHOSTDOWN, WSAEMFILE, WSAENETDOWN, WSAHOST_NOT_FOUND, WSANO_DATA,
    WSANO_RECOVERY, WSATRY_AGAIN, getsockopt, setsockopt,
};

use crate::model::evidence::{Failure, Icmp};

fn raw(socket: &impl AsSocket) -> SOCKET {
    // A handle that does not fit is no handle; Winsock then answers that it is none.
    SOCKET::try_from(socket.as_socket().as_raw_socket()).unwrap_or(INVALID_SOCKET)
}

/// Asks the system to fail a connect on an ICMP error and to keep that error.
pub fn watch_icmp(socket: &impl AsSocket) {
    let on: u32 = 1;
    // SAFETY: the option takes a DWORD, which `on` is for the whole call. An older system refuses it: no error.
    unsafe {
        setsockopt(raw(socket), IPPROTO_TCP, TCP_FAIL_CONNECT_ON_ICMP_ERROR, (&raw const on).cast(), 4);
    }
}

/// The ICMP error behind a failed connect, if the system kept one.
#[must_use]
pub fn take_icmp(socket: &impl AsSocket) -> Option<Icmp> {
    let mut info = ICMP_ERROR_INFO::default();
    let mut size = i32::try_from(size_of::<ICMP_ERROR_INFO>()).ok()?;
    // SAFETY: `info` is as long as `size` says and is plain data.
    let result =
        unsafe { getsockopt(raw(socket), IPPROTO_TCP, TCP_ICMP_ERROR_INFO, (&raw mut info).cast(), &raw mut size) };
    if result != 0 {
        return None;
    }
    // SAFETY: `si_family` overlays the first field of both variants, which says which one is there.
    let (from, v6) = unsafe {
        match info.srcaddress.si_family {
            AF_INET => (IpAddr::V4(Ipv4Addr::from(u32::from_be(info.srcaddress.Ipv4.sin_addr.S_un.S_addr))), false),
            AF_INET6 => (IpAddr::V6(Ipv6Addr::from(info.srcaddress.Ipv6.sin6_addr.u.Byte)), true),
            _ => return None,
        }
    };
    Some(Icmp { kind: info.r#type, code: info.code, from: Some(from), v6 })
}

/// Packets of this socket pass only so many routers.
///
/// # Errors
/// The system's own.
pub fn set_hops(socket: &socket2::Socket, hops: u8, v6: bool) -> std::io::Result<()> {
    if v6 { socket.set_unicast_hops_v6(hops.into()) } else { socket.set_ttl_v4(hops.into()) }
}

/// The system's table of TCP connections of one family, in words of 32 bits: the number of rows, then the rows.
fn tcp_table(family: u16) -> Option<Vec<u32>> {
    let mut table: Vec<u32> = Vec::new();
    // The table may have grown before it is asked for again with the room that it needed.
    for _ in 0..8 {
        let mut bytes = u32::try_from(table.len().checked_mul(4)?).ok()?;
        let (family, kind) = (u32::from(family), TCP_TABLE_OWNER_PID_ALL);
        // SAFETY: the buffer is writable and as long as `bytes` says (the system writes no more than that, and nothing
        // into an empty one), and is aligned for rows of 32-bit words.
        let result = unsafe { GetExtendedTcpTable(table.as_mut_ptr().cast(), &raw mut bytes, FALSE, family, kind, 0) };
        match result {
            NO_ERROR => return Some(table),
            ERROR_INSUFFICIENT_BUFFER => table.resize(usize::try_from(bytes).ok()?.div_ceil(4) + 256, 0),
            _ => return None,
        }
    }
    None
}

/// OS codes for which `ErrorKind` has no word of its own.
#[must_use]
pub fn failure_of_os_code(code: i32) -> Option<Failure> {
    match code {
        WSAEACCES => Some(Failure::Denied),
        WSAEHOSTDOWN => Some(Failure::HostUnreachable),
        WSAENETDOWN => Some(Failure::NetworkUnreachable),
        WSAEMFILE => Some(Failure::NoMoreSockets),
        WSAHOST_NOT_FOUND => Some(Failure::NameNotFound),
        WSANO_DATA => Some(Failure::NameNoAddress),
        WSATRY_AGAIN | WSANO_RECOVERY => Some(Failure::NameServerFailed),
        _ => None,
    }
}

/// Windows sets no limit of this kind.
pub fn allow_many_sockets() {}

/// The name of this machine.
#[must_use]
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".to_owned())
}

/// This machine's addresses that others may reach it by: neither loopback nor link-local.
#[must_use]
pub fn own_addresses() -> Vec<IpAddr> {
    // The system knows its own name's addresses: no table of adapters is needed.
    let name = (host_name(), 0u16);
    let found = std::net::ToSocketAddrs::to_socket_addrs(&(name.0.as_str(), name.1));
    found.into_iter().flatten().map(|address| address.ip()).filter(super::reachable).collect()
}
