//! What was seen of the way to a host: the devices that answer packets whose time to live ends there, and where the answer
//! came from. Plain data, kept in facts.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Icmp};
use super::fact::Fact;

/// The way of one kind of packet to one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The devices that said that a packet's time was up, nearest first.
    pub hops: Vec<Passed>,
    /// The answer to the packet that came least far of those that were answered in another way.
    pub end: Option<Answered>,
}

/// A device that a packet passes: it said that the packet's time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub ttl: u8,
    pub address: IpAddr,
    /// The time to live with which its message arrived.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arrived: Option<u8>,
}

/// An answer other than that the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The time to live of the packet that was answered so, where others had a smaller one and were not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttl: Option<u8>,
    pub said: Said,
    /// The time to live with which the answer arrived.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arrived: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<Icmp>,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// The connection was accepted, or a datagram came back.
    Accepted,
    /// A reset.
    Refused,
    /// An ICMP message.
    Rejected,
    /// This machine did not let the packet out.
    KeptBack,
}

impl Way {
    /// The way of the very packets that fail.
    #[must_use]
    pub fn of_port(evidence: &Evidence) -> Self {
        Self::read(evidence, Fact::Hops, Fact::AnsweredAt)
    }

    /// The way of other packets to the same host.
    #[must_use]
    pub fn of_others(evidence: &Evidence) -> Self {
        Self::read(evidence, Fact::OtherHops, Fact::OtherAnsweredAt)
    }

    /// The way of packets of full size, where such packets are lost.
    #[must_use]
    pub fn of_large(evidence: &Evidence) -> Self {
        Self::read(evidence, Fact::LargeHops, Fact::LargeAnsweredAt)
    }

    fn read(evidence: &Evidence, hops: Fact, end: Fact) -> Self {
        let hops = evidence.fact(hops).and_then(|value| serde_json::from_value(value.clone()).ok());
        let end = evidence.fact(end).and_then(|value| serde_json::from_value(value.clone()).ok());
        Self { hops: hops.unwrap_or_default(), end }
    }

    /// The device at this distance.
    #[must_use]
    pub fn at(&self, ttl: u8) -> Option<&Passed> {
        self.hops.iter().find(|hop| hop.ttl == ttl)
    }

    /// The farthest device that answered.
    #[must_use]
    pub fn last(&self) -> Option<&Passed> {
        self.hops.last()
    }

    /// How many devices away the host itself answered, itself included.
    #[must_use]
    pub fn reached(&self, host: IpAddr) -> Option<&Answered> {
        self.end.as_ref().filter(|end| end.comes_from(host))
    }
}

impl Answered {
    /// Whether it carries the host's own address. A reset or an accept does, whoever sent it; an ICMP message says whose it is.
    #[must_use]
    pub fn comes_from(&self, host: IpAddr) -> bool {
        match self.said {
            Said::Accepted | Said::Refused => true,
            Said::Rejected => {
                self.icmp.and_then(|icmp| icmp.from).is_some_and(|from| from.to_canonical() == host.to_canonical())
            }
            Said::KeptBack => false,
        }
    }
}

/// The sender of an ICMP message, and the time to live with which that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejecting {
    pub address: IpAddr,
    pub arrived: u8,
}

/// How many routers a packet has passed that arrives with this time to live: systems begin with 64, 128 or 255.
#[must_use]
pub fn routers_passed(arrived: u8) -> u8 {
    [64, 128, 255].into_iter().find(|first| *first >= arrived).unwrap_or(255) - arrived
}
