//! Documented flows: who opens them, to whom, and what they carry.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in the network: `client`, `server`, `sql-server`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Role(pub String);

impl Role {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which way the news of a flow travel, where that is not the way it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carries {
    ClientToServer,
    ServerToClient,
    Both,
}

/// What a check must find of its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The flow works.
    #[default]
    Open,
    /// The flow does not get through from where it is tested.
    Blocked,
}

impl Expect {
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// As firewall rules write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One documented flow towards one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The check's id.
    pub check: String,
    pub title: String,
    pub task: String,
    /// 1 is tried first; a higher rank is a fallback for the same task.
    pub rank: u8,
    pub from: Role,
    pub to: Role,
    /// The endpoint's name in the profile.
    pub endpoint: String,
    pub carries: Option<Carries>,
    pub transport: Transport,
    pub expect: Expect,
    /// The check's own words for what to do when the network blocks it; `{from}`, `{to}`, `{host}`, `{port}` already filled in.
    pub remedy: String,
    /// Where the flow is documented.
    pub source: String,
}
