//! The run record: the only thing that reports, merge, diff and bundle read.
//!
//! Names are stable; additions are allowed, renames break readers; [`SCHEMA`] counts up.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::Code;
use super::evidence::{Facts, Failure, Icmp, Step};
use super::fact::Fact;
use super::finding::{Confidence, Lost, Remedy, Status};
use super::flow::{Carries, Expect, Role, Transport};
use super::sighting::Sightings;

/// The version of the record's shape.
pub const SCHEMA: u32 = 1;

/// The saved record of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    pub schema: u32,
    pub tool: Tool,
    pub run: RunInfo,
    pub status: Status,
    pub outcomes: Vec<Outcome>,
    pub tasks: Vec<TaskVerdict>,
    pub findings: Vec<Finding>,
    /// What this side saw of other sides' probes, where it kept that for `bothways merge`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sightings: Option<Sightings>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    pub id: String,
    /// RFC 3339, UTC, to the second.
    pub started: String,
    pub elapsed_ms: u64,
    pub profile: String,
    pub side: Vec<Role>,
    /// The name of the machine that ran.
    pub host: String,
    pub peer: Option<Peer>,
    /// Why the run ended early, where it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut_short: Option<CutShort>,
    /// The fingerprint of the run word: the same in runs of several sides that belong together.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub word: Option<String>,
}

/// What ended a run before every check had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CutShort {
    Deadline,
    Interrupted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    pub side: Vec<Role>,
    pub address: String,
}

/// The verdict on one flow towards one endpoint, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    pub check: String,
    #[serde(default)]
    pub title: String,
    pub task: String,
    /// 1 is the documented first choice for the task.
    #[serde(default = "first")]
    pub rank: u8,
    /// The role that opens the flow.
    pub from: Role,
    pub to: Role,
    pub carries: Option<Carries>,
    /// The role that this machine played when it tested the flow; absent where it was not tested.
    pub tested_from: Option<Role>,
    /// The endpoint's name in the profile.
    #[serde(default)]
    pub endpoint: String,
    /// `host:port`; absent where the profile names no host.
    pub target: Option<String>,
    pub transport: Transport,
    pub port: Option<u16>,
    /// What the check must find; absent where the flow must work.
    #[serde(skip_serializing_if = "Expect::is_open", default)]
    pub expect: Expect,
    pub status: Status,
    pub code: Code,
    pub lost: Option<Lost>,
    pub confidence: Confidence,
    pub sentence: String,
    pub remedy: Option<Remedy>,
    pub path: PathEvidence,
    pub steps: Vec<Step>,
    pub facts: Facts,
    pub receipts: Vec<Receipt>,
    pub attempts: u32,
    /// Where the flow is documented.
    #[serde(default)]
    pub source: String,
    /// The rule to ask for where the network blocks the flow, in the check's words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub rule: String,
}

impl Outcome {
    /// The host of the target, as the profile wrote it.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.target.as_deref().map(|target| target.rsplit_once(':').map_or(target, |(host, _)| host))
    }

    #[must_use]
    pub fn text(&self, fact: Fact) -> Option<&str> {
        self.facts.get(fact.word())?.as_str()
    }

    #[must_use]
    pub fn number(&self, fact: Fact) -> Option<u64> {
        self.facts.get(fact.word())?.as_u64()
    }

    /// Whether the fact is there and is `true`.
    #[must_use]
    pub fn holds(&self, fact: Fact) -> bool {
        self.facts.get(fact.word()).and_then(serde_json::Value::as_bool) == Some(true)
    }

    /// The address in a fact that is an `ip:port`.
    #[must_use]
    pub fn ip(&self, fact: Fact) -> Option<IpAddr> {
        Some(self.socket(fact)?.ip().to_canonical())
    }

    /// A fact that is an address and a port.
    #[must_use]
    pub fn socket(&self, fact: Fact) -> Option<SocketAddr> {
        self.text(fact)?.parse().ok()
    }
}

fn first() -> u8 {
    1
}

fn undecided() -> Status {
    Status::Unknown
}

/// What is known of the way to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PathEvidence {
    pub last_hop: Option<Hop>,
    pub rejected_by: Option<Icmp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    pub ttl: u8,
    pub address: IpAddr,
}

/// What the far side saw of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The protocol's word, as in profiles.
    pub protocol: String,
    /// The token that arrived, where the protocol carries one.
    pub token: Option<String>,
    /// The source address and port after any NAT.
    pub source: String,
    /// The address and port on which it arrived.
    pub arrived_at: String,
    /// Bytes received and bytes sent back.
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// Bytes sent that the prober's system had not acknowledged a second later, where that was looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unacknowledged: Option<u64>,
    /// Why the system on which it arrived did not let the answer out, where it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unsent: Option<Failure>,
    /// Milliseconds from the start of the responder's run.
    pub at_ms: u64,
    /// What arrived, in one line: a request line, a file name, an instance name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<String>,
    /// SHA-256 of the certificate that the responder presented.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub presented: Option<String>,
    /// Headers as received, where the protocol has them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub headers: Vec<(String, String)>,
}

impl Receipt {
    /// What [`Self::asked`] says where it is the first frame on a WebSocket that arrived, after the upgrade's own receipt.
    pub const FIRST_FRAME: &'static str = "the first WebSocket frame";
}

/// What the checks that serve one task say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskVerdict {
    pub task: String,
    pub status: Status,
    /// The check that serves the task.
    pub served_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<Code>,
    pub sentence: String,
}

/// One cause, with every outcome that it explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub code: Code,
    /// The heaviest status among the flows that it explains.
    #[serde(default = "undecided")]
    pub status: Status,
    /// Ids of the checks that it explains.
    pub outcomes: Vec<String>,
    /// What the flows go to: `TCP host:port`.
    #[serde(default)]
    pub targets: Vec<String>,
    pub sentence: String,
    pub remedy: Option<Remedy>,
}
