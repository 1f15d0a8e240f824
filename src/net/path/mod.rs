//! The way to a target, seen with ordinary sockets: packets to the very port whose time to live ends on the way make the
//! devices on it answer, and the time to live with which an answer arrives tells from how far it comes.
//!
//! What is asked for several checks is asked once: routers send only a few ICMP messages a second.

mod arrival;
mod ask;
mod compare;
mod page;
mod shared;
mod sweep;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use self::ask::{Brought, Kind, Limits, Packets, ask};
pub use self::shared::Paths;
use self::shared::Swept;
use super::trace::Trace;
use super::udp;
use crate::model::ask::Ask;
use crate::model::fact::Fact;
use crate::model::probe::Probe;
use crate::model::way::{Answered, Said, Way, routers_passed};
use crate::sys;
use crate::wire::{sql_browser, tftp};

/// Where other packets to the same host go: ports at which nothing listens, as traceroute(8) has it.
const OTHER_PORT: u16 = 33_434;

/// What is looked at: the packets of one check to one address.
pub struct View<'a> {
    packets: Packets,
    paths: &'a Paths,
    trace: &'a Trace,
}

impl<'a> View<'a> {
    /// Nothing where there is no way between: the target is this machine itself.
    #[must_use]
    pub fn new(ask: &Ask, target: SocketAddr, paths: &'a Paths, trace: &'a Trace) -> Option<Self> {
        if paths.is_own(target.ip()) {
            return None;
        }
        if !sys::UNSEEN.is_empty() {
            trace.fact(Fact::Unseen, sys::UNSEEN.to_vec());
        }
        let source = ask.source.filter(|source| source.is_ipv4() == target.is_ipv4());
        if let Some(source) = source.or_else(|| udp::route_from(target)) {
            trace.fact(Fact::SourceAddress, source.to_string());
        }
        let kind = match &ask.probe {
            Probe::SqlBrowser(_) => Kind::Udp(sql_browser::Question::All.encode()),
            // Not a request: the server would begin a transfer.
            Probe::Tftp(_) => Kind::Udp(tftp::Packet::error(tftp::error::UNDEFINED, "way").encode()),
            _ => Kind::Tcp,
        };
        Some(Self { packets: Packets { target, source, kind }, paths, trace })
    }

    /// Where packets to the very port are lost: which devices answer them, and which answer only others.
    pub async fn follow(&self) {
        if self.on_link() {
            self.look_next_to_here().await;
            return;
        }
        let (swept, (other, others)) = tokio::join!(self.very_port(), self.others());
        self.tell_kept_back(swept.kept_back);
        let compared = self.paths.compared(&self.packets, swept.way, &other, &others).await;
        self.tell(&compared.way, Fact::Hops, Fact::AnsweredAt);
        if let Some(next) = compared.vanishes_before {
            self.trace.fact(Fact::VanishesBefore, json!(next));
        }
    }

    /// How far the one is that answers on the very port.
    pub async fn measure(&self) {
        if self.on_link() {
            self.look_here().await;
            return;
        }
        let (answer, (_, others)) = tokio::join!(self.paths.arrival(&self.packets), self.others());
        let passed = |answer: &Answered| answer.arrived.map(routers_passed);
        if answer.as_ref().is_some_and(|answer| answer.said == Said::Refused && passed(answer) == Some(0)) {
            self.look_here().await;
        }
        let host = others.reached(self.packets.target.ip()).and_then(passed);
        let Some(answer) = answer else {
            self.very_port().await;
            return;
        };
        if host.zip(passed(&answer)).is_some_and(|(host, port)| port >= host) {
            // As far away as the host itself: asking the devices between would only use up their answers.
            self.trace.fact(Fact::AnsweredAt, json!(answer));
            return;
        }
        let (swept, sure) = tokio::join!(self.very_port(), self.paths.none_nearer(&self.packets, &answer));
        let end = swept.way.end.filter(|end| end.said == answer.said);
        let arrived = answer.arrived.filter(|_| sure);
        self.trace.fact(Fact::AnsweredAt, json!(Answered { ttl: end.and_then(|end| end.ttl), arrived, ..answer }));
    }

    /// Whether this machine's own firewall refuses in the host's name.
    async fn look_here(&self) {
        self.tell_kept_back(self.paths.refused_here(&self.packets).await.kept_back());
    }

    /// Whether this machine keeps requests back, or another one is answered.
    async fn look_next_to_here(&self) {
        let brought = self.paths.next_to_here(&self.packets).await;
        self.tell_kept_back(brought.kept_back());
        if let Brought::Answer(answered) = brought {
            self.trace.fact(Fact::AnsweredAt, json!(answered));
        }
    }

    /// Asks the very port once, and says whether an ICMP message answers within that time.
    pub async fn ask_once(&self, patience: Duration) -> bool {
        match ask(&self.packets, Limits::default(), patience).await {
            Brought::Answer(answered) if answered.said == Said::Rejected => {
                self.trace.fact(Fact::AnsweredAt, json!(answered));
                true
            }
            _ => false,
        }
    }

    /// Whether the answer to a request on the very port comes from farther away than the one who accepts there.
    pub async fn look_behind(&self, request: &[u8]) {
        let Some(accepted) = self.paths.arrival(&self.packets).await.and_then(|answer| answer.arrived) else { return };
        if let Some(farther) = page::comes_farther(&self.packets, accepted, request).await {
            self.trace.fact(Fact::AnsweredFromBehind, farther);
        }
    }

    /// How far other packets to the same host come.
    pub async fn look_beside(&self) {
        if !self.on_link() {
            self.others().await;
        }
    }

    /// How far packets of so many bytes come, with all headers: datagrams that must not be cut into fragments.
    pub async fn follow_large(&self, bytes: usize) {
        let (target, source) = (self.packets.target, self.packets.source);
        let headers = if target.is_ipv4() { 28 } else { 48 };
        let kind = Kind::Udp(vec![b'x'; bytes.saturating_sub(headers)]);
        let large = Packets { target: SocketAddr::new(target.ip(), OTHER_PORT), source, kind };
        if !self.on_link() {
            self.swept(&large, Fact::LargeHops, Fact::LargeAnsweredAt).await;
        }
    }

    /// How far other packets to the same host come: datagrams to a port at which nothing listens, or requests to a port
    /// that is open.
    async fn others(&self) -> (Packets, Way) {
        let (target, source) = (self.packets.target, self.packets.source);
        let port = if target.port() == OTHER_PORT { OTHER_PORT + 1 } else { OTHER_PORT };
        let kind = Kind::Udp(b"bothways".to_vec());
        let mut other = target;
        other.set_port(port);
        let datagrams = Packets { target: other, source, kind };
        let way = self.swept(&datagrams, Fact::OtherHops, Fact::OtherAnsweredAt).await.way;
        if way.reached(target.ip()).is_some() {
            return (datagrams, way);
        }
        let Some(beside) = self.paths.answering_beside(target) else { return (datagrams, way) };
        let requests = Packets { target: beside.address, source, kind: Kind::Tcp };
        let mut farther = self.paths.swept(&requests, |_| ()).await.way;
        if !beside.accepts {
            // It may be a device on the way that refuses there.
            farther.end = None;
        }
        if farther.reached(target.ip()).is_some() || distance(&farther) > distance(&way) {
            self.tell(&farther, Fact::OtherHops, Fact::OtherAnsweredAt);
            return (requests, farther);
        }
        (datagrams, way)
    }

    async fn very_port(&self) -> Swept {
        self.swept(&self.packets, Fact::Hops, Fact::AnsweredAt).await
    }

    async fn swept(&self, packets: &Packets, hops: Fact, end: Fact) -> Swept {
        self.paths.swept(packets, |way| self.tell(way, hops, end)).await
    }

    fn tell(&self, way: &Way, hops: Fact, end: Fact) {
        if !way.hops.is_empty() {
            self.trace.fact(hops, json!(way.hops));
        }
        if let Some(answer) = way.end {
            self.trace.fact(end, json!(answer));
        }
    }

    fn tell_kept_back(&self, kept_back: Option<bool>) {
        if let Some(kept_back) = kept_back {
            self.trace.fact(Fact::KeptBack, kept_back);
        }
    }

    fn on_link(&self) -> bool {
        let on_link = sys::is_on_link(self.packets.target.ip());
        if let Some(on_link) = on_link {
            self.trace.fact(Fact::OnLink, on_link);
        }
        on_link == Some(true)
    }
}

/// The distance of the farthest device that answered.
fn distance(way: &Way) -> u8 {
    way.last().map_or(0, |hop| hop.ttl)
}
