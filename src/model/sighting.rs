//! What one side saw of the other side's probes, beyond receipts: connection requests that never became connections.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SightingKind {
    /// A connection request is half-open here: it passed this host's firewall and was answered.
    HalfOpen,
    /// A half-open connection was ended by a reset or an ICMP message; the counters tell no address, so `remote` is the
    /// only peer that was joined at the time.
    HalfOpenEnded,
    /// A packet of the request arrived at this host (its firewall may still have dropped it).
    RequestIn,
    /// A packet of the answer left this host.
    ReplyOut,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// A responder of this run.
    Responder,
    /// Something that was there already: the real service, it seems.
    Service,
    /// Nothing: the port could not be opened.
    Nothing,
}
