//! Knocks: requests that a side sends in a row for nothing but to be seen. Where address translation gives them another
//! source, and no answer comes back, their source ports and their number show whose they are.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::flow::Transport;

/// What was sent to one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Knock {
    pub transport: Transport,
    /// The port that was asked.
    pub port: u16,
    /// Whether it was asked over IPv6.
    pub over_v6: bool,
    /// The ports that it was asked from, each once.
    pub from: Vec<u16>,
}

/// What the other side makes of the knocks on one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Knocked {
    pub transport: Transport,
    pub port: u16,
    pub over_v6: bool,
    /// The unknown address that they came from.
    pub from: Option<IpAddr>,
    /// Whether others asked so often meanwhile that the knocks may be among theirs.
    pub doubtful: bool,
}

impl Knock {
    /// Knocks of the same kind as one.
    #[must_use]
    pub fn together(knocks: Vec<Self>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for knock in knocks.into_iter().filter(|knock| !knock.from.is_empty()) {
            let same = |one: &&mut Self| {
                (one.transport, one.port, one.over_v6) == (knock.transport, knock.port, knock.over_v6)
            };
            match all.iter_mut().find(same) {
                Some(one) => one.from.extend(knock.from),
                None => all.push(knock),
            }
        }
        all
    }
}

impl Knocked {
    /// Whether this is about requests to that port over that family of addresses.
    #[must_use]
    pub fn is_at(&self, transport: Transport, port: u16, over_v6: bool) -> bool {
        (self.transport, self.port, self.over_v6) == (transport, port, over_v6)
    }

    /// Whether nobody who asked there can have been the one who knocked.
    #[must_use]
    pub fn is_of_nobody(&self) -> bool {
        self.from.is_none() && !self.doubtful
    }
}
