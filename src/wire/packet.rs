//! IP packets as they pass an interface: who sends to whom, whether it opens a connection or refuses one, and which packet an
//! ICMP message rejects (RFC 791, 8200, 9293, 768, 792, 4443).
//!
//! Only as much as says which flow a packet belongs to; payloads and checksums are left alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::evidence::Icmp;
use crate::model::flow::Transport;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
/// Bytes of an ICMP error before the packet that it quotes.
const ICMP_HEADER: usize = 8;
/// Extension headers of IPv6 that may come before TCP or UDP.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// More extension headers than this are nobody's honest packet.
const MOST_EXTENSIONS: usize = 8;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    Sent(Packet),
    Rejected(Rejection),
}

/// A packet of TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub carried: Carried,
}

/// What a packet carries, in three flags for TCP: SYN without ACK asks for a connection, SYN with ACK grants it, RST
/// refuses or ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    Tcp { syn: bool, ack: bool, rst: bool },
    Udp,
}

/// An ICMP message that says that a packet did not get to where it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    pub icmp: Icmp,
    /// Who is told.
    pub told: IpAddr,
    /// Whose packet it was, and to whom.
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub transport: Transport,
}

/// Reads a packet that begins with its IP header. Nothing for other protocols, for later fragments (they name no port),
/// and for what is cut off before it says enough.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Read> {
    let packet = carrier(bytes)?;
    match (packet.protocol, packet.from.is_ipv4()) {
        (ICMP, true) | (ICMP_V6, false) => rejection(&packet).map(Read::Rejected),
        _ => sent(&packet).map(Read::Sent),
    }
}

/// An IP packet, as far as the header says.
struct Carrier<'b> {
    protocol: u8,
    from: IpAddr,
    to: IpAddr,
    body: &'b [u8],
}

fn carrier(bytes: &[u8]) -> Option<Carrier<'_>> {
    match bytes.first()? >> 4 {
        4 => read_v4(bytes),
        6 => read_v6(bytes),
        _ => None,
    }
}

fn read_v4(bytes: &[u8]) -> Option<Carrier<'_>> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let later_fragment = pair(bytes, 6)? & 0x1fff != 0;
    if header < 20 || later_fragment {
        return None;
    }
    let from = Ipv4Addr::from(*bytes.get(12..)?.first_chunk::<4>()?);
    let to = Ipv4Addr::from(*bytes.get(16..)?.first_chunk::<4>()?);
    Some(Carrier { protocol: *bytes.get(9)?, from: from.into(), to: to.into(), body: bytes.get(header..)? })
}

fn read_v6(bytes: &[u8]) -> Option<Carrier<'_>> {
    let from = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
    let to = Ipv6Addr::from(*bytes.get(24..)?.first_chunk::<16>()?);
    let (mut next, mut rest) = (*bytes.get(6)?, bytes.get(40..)?);
    for _ in 0..=MOST_EXTENSIONS {
        let length = match next {
            HOP_BY_HOP | ROUTING | DESTINATION => (usize::from(*rest.get(1)?) + 1) * 8,
            AUTHENTICATION => (usize::from(*rest.get(1)?) + 2) * 4,
            FRAGMENT if pair(rest, 2)? & 0xfff8 == 0 => 8,
            _ => return Some(Carrier { protocol: next, from: from.into(), to: to.into(), body: rest }),
        };
        (next, rest) = (*rest.first()?, rest.get(length..)?);
    }
    None
}

fn sent(packet: &Carrier) -> Option<Packet> {
    let carried = match packet.protocol {
        TCP => {
            let flags = *packet.body.get(13)?;
            Carried::Tcp { syn: flags & SYN != 0, ack: flags & ACK != 0, rst: flags & RST != 0 }
        }
        UDP => Carried::Udp,
        _ => return None,
    };
    let (from, to) = ends(packet)?;
    Some(Packet { from, to, carried })
}

/// "Destination unreachable" and "time exceeded" quote the packet, of TCP at least its ports.
fn rejection(message: &Carrier) -> Option<Rejection> {
    let v6 = message.protocol == ICMP_V6;
    let (kind, code) = (*message.body.first()?, *message.body.get(1)?);
    // "Fragmentation needed" rejects nothing: the sender is to send smaller ones.
    if !matches!((v6, kind, code), (false, 3, 0..=3 | 5..) | (false, 11, _) | (true, 1 | 3, _)) {
        return None;
    }
    let quoted = carrier(message.body.get(ICMP_HEADER..)?)?;
    let transport = match quoted.protocol {
        TCP => Transport::Tcp,
        UDP => Transport::Udp,
        _ => return None,
    };
    let (from, to) = ends(&quoted)?;
    let icmp = Icmp { kind, code, from: Some(message.from), v6 };
    Some(Rejection { icmp, told: message.to, from, to, transport })
}

fn ends(packet: &Carrier) -> Option<(SocketAddr, SocketAddr)> {
    let (from, to) = (pair(packet.body, 0)?, pair(packet.body, 2)?);
    Some((SocketAddr::new(packet.from, from), SocketAddr::new(packet.to, to)))
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
            Carried::Tcp { syn, ack, rst } => {
                let flags = [(syn, SYN), (ack, ACK), (rst, RST)];
                let flags = flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
                bytes.extend([0; 8]);
                bytes.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
            }
            Carried::Udp => bytes.extend([0, 8, 0, 0]),
        }
        bytes
    }

    fn carried() -> impl Strategy<Value = Carried> {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        prop_oneof![flags.prop_map(|(syn, ack, rst)| Carried::Tcp { syn, ack, rst }), Just(Carried::Udp)]
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
            prop_assert_eq!(read(&write(&packet, &extensions)), Some(Read::Sent(packet)));
        }

        #[test]
        fn a_packet_that_is_cut_off_before_it_says_enough_is_nothing(packet in packet()) {
            let bytes = write(&packet, &[]);
            let needed = bytes.len() - if packet.carried == Carried::Udp { 4 } else { 6 };
            prop_assert_eq!(read(&bytes[..needed - 1]), None);
            prop_assert_eq!(read(&bytes[..needed]), Some(Read::Sent(packet)));
        }

        #[test]
        fn a_rejection_is_of_the_packet_that_it_quotes(packet in packet(), code in 5_u8.., late: bool) {
            let quoted = write(&packet, &[]);
            let header = quoted.len() - if packet.carried == Carried::Udp { 8 } else { 20 };
            let v6 = packet.from.is_ipv6();
            let [unreachable, time_exceeded] = if v6 { [1, 3] } else { [3, 11] };
            let kind = if late { time_exceeded } else { unreachable };
            // As it comes from the packet's target itself: 8 bytes behind the quoted IP header must do.
            let back = Packet { from: packet.to, to: packet.from, carried: Carried::Udp };
            let mut bytes = write(&back, &[]);
            bytes.truncate(bytes.len() - 8);
            bytes[if v6 { 6 } else { 9 }] = if v6 { ICMP_V6 } else { ICMP };
            bytes.extend([kind, code, 0, 0, 0, 0, 0, 0]);
            bytes.extend(&quoted[..header + 8]);
            let transport = if packet.carried == Carried::Udp { Transport::Udp } else { Transport::Tcp };
            let icmp = Icmp { kind, code, from: Some(packet.to.ip()), v6 };
            let told = packet.from.ip();
            let wanted = Rejection { icmp, told, from: packet.from, to: packet.to, transport };
            prop_assert_eq!(read(&bytes), Some(Read::Rejected(wanted)));
            prop_assert_eq!(read(&bytes[..bytes.len() - 5]), None);
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
