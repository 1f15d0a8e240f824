//! What one side saw of the other side's probes, beyond receipts: connection requests that never became connections.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::Icmp;
use super::flow::{Role, Transport};
use super::run::Receipt;

/// Everything that one side saw of one peer during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sightings {
    /// What its responders received.
    pub receipts: Vec<Receipt>,
    /// Packets and half-open connections, each kind once for each pair of addresses.
    pub sighted: Vec<Sighting>,
    /// The means with which this side looked; what was not looked for can't be missed.
    pub means: Vec<Means>,
    /// What answers on the ports of this side's roles.
    pub answers: Vec<Answering>,
    /// Whether no other peer was joined while this one was.
    #[serde(default)]
    pub alone: bool,
    /// Receipts that found no room. Where there are any, a missing receipt proves nothing.
    #[serde(default)]
    pub missed: u64,
    /// Whom this side's own probes went to: of these it watched its own packets as well.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub probed: Vec<IpAddr>,
    /// Ports on which addresses asked that are not known as the peer's: behind address translation, one may have been the peer.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub strangers: Vec<(Transport, u16)>,
}

impl Sightings {
    #[must_use]
    pub fn looked_with(&self, means: Means) -> bool {
        self.means.contains(&means)
    }
}

/// A way of seeing what arrives before any program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// The system's table of connections, sampled: shows half-open ones that last.
    ConnectionTable,
    /// The system's counters of connection requests that ended half-open, for requests too short-lived for the table.
    Counters,
    /// Packets as they arrive and leave, before and after this host's firewall: needs privileges.
    Packets,
}

/// One thing seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    pub kind: SightingKind,
    pub transport: Transport,
    /// The peer's address and port, as this side sees it. Port 0 where it is not known.
    pub remote: SocketAddr,
    /// This side's address and port.
    pub local: SocketAddr,
    /// Milliseconds from when this side began to look.
    pub at_ms: u64,
    /// The ICMP message that refused, where it was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<Icmp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SightingKind {
    /// A connection request is half-open here: it passed this host's firewall and was answered.
    HalfOpen,
    /// A half-open connection was ended by a reset or an ICMP message. The counters tell no address: `remote` is the peer
    /// that asks, and it need not be the one.
    HalfOpenEnded,
    /// A packet of the request arrived at this host (its firewall may still have dropped it).
    RequestIn,
    /// This host has no route to whom a request came from, so that no answer can leave it.
    NoWayBack,
    /// A packet of the answer left this host.
    ReplyOut,
    /// A refusal of the request left this host: a reset, or an ICMP message of its own.
    RefusalOut,
    /// The answer was refused: a reset in the peer's name came, or an ICMP message about the answer.
    ReplyRefused,
    /// A packet of a request of this side's own left this host, to `remote`.
    RequestOut,
    /// A packet of the answer to it arrived at this host (its firewall may still have dropped it).
    ReplyIn,
}

/// What answers on one port of one side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Answering {
    pub role: Role,
    pub endpoint: String,
    pub transport: Transport,
    pub port: u16,
    pub checks: Vec<String>,
    pub by: AnsweredBy,
    /// What answers over IPv6, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over_v6: Option<AnsweredBy>,
}

impl Answering {
    /// What answers those who come to this address.
    #[must_use]
    pub fn at(&self, address: IpAddr) -> AnsweredBy {
        self.over_v6.filter(|_| address.to_canonical().is_ipv6()).unwrap_or(self.by)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// A responder of this run.
    Responder,
    /// Something that was there already: the real service, it seems.
    Service,
    /// Something that was there already, but for others of this machine's addresses only: 127.0.0.1, for instance.
    Elsewhere,
    /// Nothing: the port could not be opened.
    Nothing,
}
