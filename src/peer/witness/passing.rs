//! What a packet that passes says of a peer's probes on watched ports, and of this side's own probes towards that peer.

use std::net::IpAddr;

use super::seen::Seen;
use crate::model::flow::Transport;
use crate::model::sighting::SightingKind;
use crate::net::udp;
use crate::sys::Direction;
use crate::wire::packet::{Carried, Packet, Read, Rejection};

/// A packet, and how it passes.
pub(super) struct Passing<'w> {
    pub tcp: &'w [u16],
    pub udp: &'w [u16],
    /// Where the system tells.
    pub direction: Option<Direction>,
    /// Whether an address is this host's: what is only forwarded is none of its own.
    pub is_own: &'w dyn Fn(IpAddr) -> bool,
    pub seen: &'w mut Seen,
}

impl Passing<'_> {
    pub(super) fn note(&mut self, read: &Read) {
        match read {
            Read::Sent(packet) => {
                self.of_peer(packet);
                self.of_own(packet);
            }
            Read::Rejected(rejection) => self.rejected(rejection),
        }
    }

    fn watched(&self, transport: Transport) -> &[u16] {
        match transport {
            Transport::Tcp => self.tcp,
            Transport::Udp => self.udp,
        }
    }

    fn goes(&self, wanted: Direction, own: IpAddr) -> bool {
        self.direction.is_none_or(|there| there == wanted) && (self.is_own)(own)
    }

    /// A peer's request on a watched port, or what it is answered with.
    fn of_peer(&mut self, packet: &Packet) {
        let Packet { from, to, carried } = *packet;
        let transport = transport(carried);
        if self.watched(transport).contains(&to.port()) && self.goes(Direction::In, to.ip()) {
            match carried {
                Carried::Tcp { syn: true, ack: false, rst: false } | Carried::Udp => {
                    if self.seen.keep(SightingKind::RequestIn, transport, from, to) && !udp::has_way_to(from) {
                        self.seen.keep(SightingKind::NoWayBack, transport, from, to);
                    }
                }
                Carried::Tcp { rst: true, .. } => {
                    self.seen.keep(SightingKind::ReplyRefused, transport, from, to);
                }
                Carried::Tcp { .. } => {}
            }
            if carried == Carried::Udp {
                self.seen.asked(from, to);
            }
        }
        if self.watched(transport).contains(&from.port()) && self.goes(Direction::Out, from.ip()) {
            match carried {
                Carried::Tcp { syn: true, ack: true, .. } | Carried::Udp => {
                    self.seen.keep(SightingKind::ReplyOut, transport, to, from);
                }
                Carried::Tcp { rst: true, .. } => {
                    self.seen.keep(SightingKind::RefusalOut, transport, to, from);
                }
                Carried::Tcp { .. } => {}
            }
        } else if carried == Carried::Udp
            && let Some(asked) = self.seen.asked_by(to).filter(|_| self.goes(Direction::Out, from.ip()))
        {
            self.seen.keep(SightingKind::ReplyOut, transport, to, asked);
        }
    }

    /// This side's own request to somebody that it probes, or what answers it.
    fn of_own(&mut self, packet: &Packet) {
        let Packet { from, to, carried } = *packet;
        let transport = transport(carried);
        let asks = matches!(carried, Carried::Tcp { syn: true, ack: false, rst: false } | Carried::Udp);
        if asks && self.seen.probes(to.ip()) && self.goes(Direction::Out, from.ip()) {
            self.seen.keep(SightingKind::RequestOut, transport, to, from);
        }
        let answers = matches!(carried, Carried::Tcp { syn: true, ack: true, .. } | Carried::Udp);
        if answers && self.seen.probes(from.ip()) && self.goes(Direction::In, to.ip()) {
            self.seen.keep(SightingKind::ReplyIn, transport, from, to);
        }
    }

    /// An ICMP message about the answer to a peer, or this host's own about a peer's request.
    fn rejected(&mut self, rejection: &Rejection) {
        let Rejection { icmp, told, from, to, transport } = *rejection;
        let watched = |port: u16| self.watched(transport).contains(&port);
        let (answer, request) = (watched(from.port()), watched(to.port()));
        if told == from.ip() && self.goes(Direction::In, from.ip()) {
            // A datagram may have been answered from another port than the one that was asked.
            let asked = self.seen.asked_by(to).filter(|_| transport == Transport::Udp);
            if let Some(local) = if answer { Some(from) } else { asked } {
                self.seen.keep_rejection(SightingKind::ReplyRefused, transport, to, local, icmp);
            }
        }
        let by_this_host = icmp.from.is_some_and(|sender| self.goes(Direction::Out, sender));
        if request && by_this_host && (self.is_own)(to.ip()) {
            self.seen.keep_rejection(SightingKind::RefusalOut, transport, from, to, icmp);
        }
    }
}

fn transport(carried: Carried) -> Transport {
    match carried {
        Carried::Tcp { .. } => Transport::Tcp,
        Carried::Udp => Transport::Udp,
    }
}
