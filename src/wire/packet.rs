//! IP packets as they pass an interface: who sends to whom, and whether it opens a connection (RFC 791, 8200, 9293, 768).
//!
//! Only as much as says which flow a packet belongs to; payloads and checksums are left alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Extension headers of IPv6 that may come before TCP or UDP.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// More extension headers than this are nobody's honest packet.
const MOST_EXTENSIONS: usize = 8;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A packet of TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub carried: Carried,
}

/// What a packet carries, in two flags for TCP: SYN without ACK asks for a connection, SYN with ACK grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    Tcp { syn: bool, ack: bool },
    Udp,
}

/// Reads a packet that begins with its IP header. Nothing for other protocols, for later fragments (they name no port),
/// and for what is cut off before it says enough.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Packet> {
    match bytes.first()? >> 4 {
        4 => read_v4(bytes),
        6 => read_v6(bytes),
        _ => None,
    }
}

fn read_v4(bytes: &[u8]) -> Option<Packet> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let later_fragment = pair(bytes, 6)? & 0x1fff != 0;
    if header < 20 || later_fragment {
        return None;
    }
    let from = Ipv4Addr::from(*bytes.get(12..)?.first_chunk::<4>()?);
    let to = Ipv4Addr::from(*bytes.get(16..)?.first_chunk::<4>()?);
    read_ports(*bytes.get(9)?, from.into(), to.into(), bytes.get(header..)?)
}

fn read_v6(bytes: &[u8]) -> Option<Packet> {
    let from = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
    let to = Ipv6Addr::from(*bytes.get(24..)?.first_chunk::<16>()?);
    let (mut next, mut rest) = (*bytes.get(6)?, bytes.get(40..)?);
    for _ in 0..=MOST_EXTENSIONS {
        let length = match next {
            HOP_BY_HOP | ROUTING | DESTINATION => (usize::from(*rest.get(1)?) + 1) * 8,
            AUTHENTICATION => (usize::from(*rest.get(1)?) + 2) * 4,
            FRAGMENT if pair(rest, 2)? & 0xfff8 == 0 => 8,
            _ => return read_ports(next, from.into(), to.into(), rest),
        };
        (next, rest) = (*rest.first()?, rest.get(length..)?);
    }
    None
}

fn read_ports(protocol: u8, from: IpAddr, to: IpAddr, bytes: &[u8]) -> Option<Packet> {
    let carried = match protocol {
        TCP => {
            let flags = *bytes.get(13)?;
            Carried::Tcp { syn: flags & SYN != 0, ack: flags & ACK != 0 }
        }
        UDP => Carried::Udp,
        _ => return None,
    };
    let (from, to) = (SocketAddr::new(from, pair(bytes, 0)?), SocketAddr::new(to, pair(bytes, 2)?));
    Some(Packet { from, to, carried })
}

fn pair(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How a sender would write this packet; `extensions` come before the ports in IPv6.
    fn write(packet: &Packet, extensions: &[u8]) -> Vec<u8> {
        let protocol = if packet.carried == Carried::Udp { UDP } else { TCP };
        let mut bytes = match (packet.from.ip(), packet.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = vec![0x46, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
                header.extend(from.octets().iter().chain(&to.octets()));
                header.extend([1, 1, 1, 0]);
                header
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut header = vec![0x60, 0, 0, 0, 0, 0, extensions.first().copied().unwrap_or(protocol), 64];
                header.extend(from.octets().iter().chain(&to.octets()));
                for (at, kind) in extensions.iter().enumerate() {
                    let mut extension = [0; 8];
                    extension[0] = extensions.get(at + 1).copied().unwrap_or(protocol);
                    // A length of 0 is 8 octets; in the authentication header (RFC 4302) it counts fours less two.
                    extension[1] = 0;
                    assert_ne!(*kind, TCP);
                    header.extend(extension);
                }
                header
            }
            _ => unreachable!("a packet is of one family"),
        };
        bytes.extend(packet.from.port().to_be_bytes().iter().chain(&packet.to.port().to_be_bytes()));
        match packet.carried {
            Carried::Tcp { syn, ack } => {
                bytes.extend([0; 8]);
                bytes.extend([0x50, if syn { SYN } else { 0 } | if ack { ACK } else { 0 }, 0, 0, 0, 0, 0, 0]);
            }
            Carried::Udp => bytes.extend([0, 8, 0, 0]),
        }
        bytes
    }

    fn carried() -> impl Strategy<Value = Carried> {
        prop_oneof![(any::<bool>(), any::<bool>()).prop_map(|(syn, ack)| Carried::Tcp { syn, ack }), Just(Carried::Udp)]
    }

    fn packet() -> impl Strategy<Value = Packet> {
        let v4 = (any::<Ipv4Addr>(), any::<Ipv4Addr>()).prop_map(|(a, b)| (IpAddr::V4(a), IpAddr::V4(b)));
        let v6 = (any::<Ipv6Addr>(), any::<Ipv6Addr>()).prop_map(|(a, b)| (IpAddr::V6(a), IpAddr::V6(b)));
        (prop_oneof![v4, v6], any::<u16>(), any::<u16>(), carried()).prop_map(|((from, to), one, other, carried)| {
            Packet { from: SocketAddr::new(from, one), to: SocketAddr::new(to, other), carried }
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panicking(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn bytes_that_begin_like_ip_are_read_without_panicking(
            version in prop_oneof![0x40..=0x4f_u8, Just(0x60)],
            next in prop_oneof![Just(TCP), Just(UDP), Just(HOP_BY_HOP), Just(ROUTING), Just(FRAGMENT), Just(AUTHENTICATION)],
            mut bytes in proptest::collection::vec(any::<u8>(), 10..200),
        ) {
            (bytes[0], bytes[6], bytes[9]) = (version, next, next);
            let _ = read(&bytes);
        }

        #[test]
        fn what_is_written_is_read(packet in packet(), extensions in proptest::collection::vec(
            prop_oneof![Just(HOP_BY_HOP), Just(ROUTING), Just(FRAGMENT), Just(AUTHENTICATION), Just(DESTINATION)], 0..MOST_EXTENSIONS
        )) {
            prop_assert_eq!(read(&write(&packet, &extensions)), Some(packet));
        }

        #[test]
        fn a_packet_that_is_cut_off_before_it_says_enough_is_nothing(packet in packet()) {
            let bytes = write(&packet, &[]);
            let needed = bytes.len() - if packet.carried == Carried::Udp { 4 } else { 6 };
            prop_assert_eq!(read(&bytes[..needed - 1]), None);
            prop_assert_eq!(read(&bytes[..needed]), Some(packet));
        }
    }

    #[test]
    fn later_fragments_name_no_port() {
        let any = |text: &str| text.parse().expect("an address");
        let v4 = Packet { from: any("10.0.0.1:1"), to: any("10.0.0.2:2"), carried: Carried::Udp };
        let mut bytes = write(&v4, &[]);
        bytes[7] = 1;
        assert_eq!(read(&bytes), None);
        let v6 = Packet { from: any("[fd00::1]:1"), to: any("[fd00::2]:2"), carried: Carried::Udp };
        let mut bytes = write(&v6, &[FRAGMENT]);
        bytes[43] = 8;
        assert_eq!(read(&bytes), None);
    }

    #[test]
    fn headers_without_an_end_are_nothing() {
        let any = |text: &str| text.parse().expect("an address");
        let v6 = Packet { from: any("[fd00::1]:1"), to: any("[fd00::2]:2"), carried: Carried::Udp };
        assert_eq!(read(&write(&v6, &[HOP_BY_HOP; MOST_EXTENSIONS + 1])), None);
    }
}
