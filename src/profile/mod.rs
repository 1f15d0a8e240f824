//! Profiles and checks: YAML to plain data, with every problem reported at once.
//!
//! The way: `catalog` finds a file, `yaml` reads it into a tree of `node`s that know their places, `shape` holds the tree
//! against the JSON Schema made from `syntax`, `layers` joins it with what it extends, `set` lays the command line over it,
//! and `validate` (with `bind` for endpoints and `rule` for checks) makes it a [`Profile`]. Only [`load`] is called from
//! outside; a [`problem`] carries file, line, column, what is wrong and what to write instead.

mod bind;
pub mod catalog;
mod endpoint;
mod host;
mod layers;
pub mod load;
mod node;
pub mod problem;
mod rule;
mod scalar;
mod scan_error;
pub mod schema;
mod set;
mod shape;
pub mod suggest;
mod syntax;
mod typed;
mod validate;
mod yaml;

use std::net::IpAddr;

use crate::model::ask::{ProxyAuth, TlsExpectation};
use crate::model::flow::{Carries, Expect, Role, Transport};
use crate::model::probe::{Probe, SqlEncryption};
use crate::model::secret::Account;
use crate::model::span::Span;

/// A product's flows with roles bound to hosts, everything inherited and overridden already applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The built-in name, or the file's stem.
    pub name: String,
    pub title: String,
    pub roles: Vec<RoleInfo>,
    /// In the order in which they are written, the built-in profile's first.
    pub endpoints: Vec<Endpoint>,
    pub checks: Vec<Check>,
    pub settings: Settings,
}

/// A role and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleInfo {
    pub role: Role,
    pub title: String,
}

/// What holds for a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The time that one check may take in all, retries included.
    pub timeout: Span,
    /// The time that the whole run may take.
    pub deadline: Span,
    /// How often a check is tried at most, within its timeout.
    pub attempts: u32,
    /// Name servers to ask instead of the system's.
    pub name_servers: Vec<IpAddr>,
}

/// A host that plays a role. Checks that say `{ setting: KEY }` or leave a probe's setting open read these keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    /// Never empty after validation; the endpoint's own name where the profile says nothing.
    pub role: String,
    /// A name or an address; absent where the profile names none yet.
    pub host: Option<String>,
    /// `primary` or `secondary`, for people; every endpoint is tested.
    pub priority: Option<Priority>,
    /// The address to speak from when this machine plays this endpoint's role.
    pub source: Option<IpAddr>,
    /// Ports by the key that a check names: `port`, `browser-port`, …
    pub ports: Vec<(String, u16)>,
    pub https: Option<bool>,
    pub proxy: ProxySetting,
    pub proxy_auth: ProxyAuth,
    pub proxy_account: Option<Account>,
    pub tls: TlsExpectation,
    pub instance: Option<String>,
    pub database: Option<String>,
    pub encryption: Option<SqlEncryption>,
    pub share: Option<String>,
    pub file: Option<String>,
    pub account: Option<Account>,
    /// The parent in a hierarchy: the name of another endpoint of the same role (installation point replication).
    pub parent: Option<String>,
    /// The names of the endpoints that have this one as their parent.
    pub parent_of: Vec<String>,
    /// `share` or `http`: how an installation point offers its files.
    pub kind: Option<EndpointKind>,
}

/// How a proxy is chosen for an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxySetting {
    /// Directly.
    #[default]
    None,
    /// What the environment says (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
    System,
    /// A given proxy.
    At { host: String, port: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    Primary,
    Secondary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointKind {
    Share,
    Http,
}

/// The declarative test of one documented flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The file's stem: `sql-database`.
    pub id: String,
    pub title: String,
    pub task: String,
    /// 1 where it is the documented first choice; 2 for a fallback.
    pub rank: u8,
    pub from: Role,
    pub to: Role,
    pub carries: Option<Carries>,
    pub transport: Transport,
    pub port: PortRule,
    pub when: Condition,
    pub probe: Probe,
    /// Whether the flow must work, or must not.
    pub expect: Expect,
    /// The whole check's time; the profile's where absent.
    pub timeout: Option<Span>,
    pub attempts: Option<u32>,
    /// May hold `{port}`, `{host}`, `{from}` and `{to}`.
    pub remedy: String,
    pub source: String,
    /// Documented sizes of one conversation in bytes, by connection method.
    pub traffic: Vec<Traffic>,
}

/// Where a check's port comes from, first hit first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortRule {
    /// The endpoint's key (`port`, `browser-port`, …).
    pub setting: Option<String>,
    /// Another check towards the same endpoint whose fact `instance-port` is the port (SQL Browser), where that check applies.
    pub found_by: Option<String>,
    /// The port where nothing else says one. With none, the scheme's: 443 or 80.
    pub default: Option<u16>,
}

/// When a check applies, by the keys of the endpoint it goes to. All must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// These keys are set.
    pub set: Vec<String>,
    /// These keys are not set.
    pub unset: Vec<String>,
    /// These keys have this value, or are not set and have it by default.
    pub equals: Vec<(String, String)>,
    /// What to say where the check does not apply.
    pub otherwise: String,
}

/// Documented bytes of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Traffic {
    pub what: String,
    pub http: u64,
    pub https: u64,
    pub http_proxy: u64,
    pub https_proxy: u64,
}
