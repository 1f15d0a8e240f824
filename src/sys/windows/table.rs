//! Half-open connections in the table that `GetExtendedTcpTable` gives, without privileges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use windows_sys::Win32::NetworkManagement::IpHelper::{
    MIB_TCP_STATE_SYN_RCVD, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};

use super::tcp_table;

/// Both kinds of row hold nothing but numbers of 32 bits, and bytes in fours.
const V4_ROW: usize = size_of::<MIB_TCPROW_OWNER_PID>() / 4;
const V6_ROW: usize = size_of::<MIB_TCP6ROW_OWNER_PID>() / 4;

/// The table of TCP connections.
pub struct ConnectionTable(());

impl ConnectionTable {
    /// Nothing where the system does not give the table.
    #[must_use]
    pub fn open() -> Option<Self> {
        tcp_table(AF_INET).map(|_| Self(()))
    }

    /// The connections that are half-open now on these local ports: remote and local address.
    pub fn half_open(&mut self, ports: &[u16]) -> Vec<(SocketAddr, SocketAddr)> {
        let v4 = tcp_table(AF_INET).unwrap_or_default();
        let v6 = tcp_table(AF_INET6).unwrap_or_default();
        let found = rows::<V4_ROW>(&v4).filter_map(half_open_v4).chain(rows::<V6_ROW>(&v6).filter_map(half_open_v6));
        found.filter(|(_, local)| ports.contains(&local.port())).collect()
    }
}

/// The rows of a table, which begins with their number and may be followed by room to spare.
fn rows<const WORDS: usize>(table: &[u32]) -> impl Iterator<Item = &[u32; WORDS]> {
    let (count, rows) = table.split_first().map_or((0, &[][..]), |(count, rows)| (*count, rows));
    rows.as_chunks::<WORDS>().0.iter().take(usize::try_from(count).unwrap_or(0))
}

fn half_open_v4(row: &[u32; V4_ROW]) -> Option<(SocketAddr, SocketAddr)> {
    let [state, local, local_port, remote, remote_port, _process] = *row;
    let address = |ip: u32, port| SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip.to_ne_bytes())), in_host_order(port));
    is_half_open(state).then(|| (address(remote, remote_port), address(local, local_port)))
}

fn half_open_v6(row: &[u32; V6_ROW]) -> Option<(SocketAddr, SocketAddr)> {
    let [l0, l1, l2, l3, _, local_port, r0, r1, r2, r3, _, remote_port, state, _process] = *row;
    let address = |words: [u32; 4], port| {
        let mut octets = [0; 16];
        for (bytes, word) in octets.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        SocketAddr::new(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical(), in_host_order(port))
    };
    is_half_open(state).then(|| (address([r0, r1, r2, r3], remote_port), address([l0, l1, l2, l3], local_port)))
}

fn is_half_open(state: u32) -> bool {
    i32::try_from(state) == Ok(MIB_TCP_STATE_SYN_RCVD)
}

/// A port as it is on the wire, in the first two bytes of four.
fn in_host_order(port: u32) -> u16 {
    let [high, low, ..] = port.to_ne_bytes();
    u16::from_be_bytes([high, low])
}
