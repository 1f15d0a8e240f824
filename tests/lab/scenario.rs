//! A scenario as its file says it. `README.md` beside this file explains every key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One fault in a network, and what must be said of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The fault in one sentence.
    pub fault: String,
    pub topology: Topology,
    /// Further machines, with the networks that they are on.
    #[serde(default)]
    pub machines: BTreeMap<String, Networks>,
    /// Other addresses for networks, or new networks.
    #[serde(default)]
    pub networks: BTreeMap<String, Vec<String>>,
    /// Other addresses for single machines.
    #[serde(default)]
    pub addresses: BTreeMap<String, Vec<String>>,
    /// Lines of `sysctl` by machine.
    #[serde(default)]
    pub sysctl: BTreeMap<String, BTreeMap<String, Scalar>>,
    /// Lines of `ip -batch` by machine.
    #[serde(default)]
    pub ip: BTreeMap<String, Vec<String>>,
    /// nftables rules by machine and hook.
    #[serde(default)]
    pub rules: BTreeMap<String, BTreeMap<Hook, Vec<String>>>,
    /// Whole nftables rulesets by machine.
    #[serde(default)]
    pub ruleset: BTreeMap<String, String>,
    /// Lines of `/etc/hosts` by machine.
    #[serde(default)]
    pub hosts: BTreeMap<String, Vec<String>>,
    /// The name servers of each machine.
    #[serde(default)]
    pub name_servers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub certificates: BTreeMap<String, Certificate>,
    #[serde(default)]
    pub services: Vec<Service>,
    /// A profile in YAML instead of the built-in one.
    pub profile: Option<String>,
    /// Values of the profile, for `listen` and `check` alike.
    #[serde(default)]
    pub set: BTreeMap<String, Scalar>,
    #[serde(default)]
    pub listen: Vec<Listen>,
    pub check: Check,
    pub expect: Expect,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// client and server on one network
    Link,
    /// client, router, server
    Routed,
    /// client, r1, r2, server
    Far,
}

/// One name, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Networks {
    One(String),
    Several(Vec<String>),
}

/// A value that YAML may take for something else than a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Number(i64),
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// Where a packet meets a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    Input,
    Forward,
    Output,
    Prerouting,
    Postrouting,
    RawPrerouting,
    NatPrerouting,
    NatPostrouting,
    NatOutput,
}

impl Hook {
    /// The line of nftables that makes a chain one of this hook.
    pub fn line(self) -> &'static str {
        match self {
            Self::Input => "type filter hook input priority 0;",
            Self::Forward => "type filter hook forward priority 0;",
            Self::Output => "type filter hook output priority 0;",
            Self::Prerouting => "type filter hook prerouting priority -150;",
            Self::Postrouting => "type filter hook postrouting priority 50;",
            Self::RawPrerouting => "type filter hook prerouting priority -300;",
            Self::NatPrerouting => "type nat hook prerouting priority -100;",
            Self::NatPostrouting => "type nat hook postrouting priority 100;",
            Self::NatOutput => "type nat hook output priority -100;",
        }
    }
}

/// A certificate, with its key, to be written to `$certificates/NAME.pem` and `$certificates/NAME.key`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Certificate {
    /// The names that it is for; none: it is an authority's.
    #[serde(default)]
    pub names: Vec<String>,
    /// The authority that signs it, by its name in this map; none: itself.
    pub by: Option<String>,
    /// The certificates that are presented behind it, by their names in this map; none given: all authorities but the root.
    pub chain: Option<Vec<String>>,
    #[serde(default)]
    pub valid: Validity,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    #[default]
    Now,
    Past,
    Future,
}

/// A server on a machine, by the name of its file in `tests/lab/services`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    pub on: String,
    pub run: String,
    #[serde(default)]
    pub with: BTreeMap<String, Scalar>,
}

/// A `bothways listen`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    pub on: String,
    pub sides: Vec<String>,
    #[serde(default)]
    pub set: BTreeMap<String, Scalar>,
    /// Whether it runs without any privilege.
    #[serde(default)]
    pub unprivileged: bool,
    #[serde(default)]
    pub arguments: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// The `bothways check`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    pub on: String,
    pub sides: Vec<String>,
    /// Whether it joins the listener.
    #[serde(default)]
    pub join: bool,
    #[serde(default)]
    pub set: BTreeMap<String, Scalar>,
    #[serde(default)]
    pub only: Vec<String>,
    /// Whether it runs without any privilege.
    #[serde(default)]
    pub unprivileged: bool,
    #[serde(default)]
    pub arguments: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    pub exit: i32,
    pub status: String,
    /// By check, several between commas, or `check@endpoint`.
    pub flows: BTreeMap<String, Wanted>,
    #[serde(default)]
    pub findings: Vec<BTreeMap<String, Vec<String>>>,
    /// By task: `status`, `status check` with the check that serves it, or `status code check`.
    #[serde(default)]
    pub tasks: BTreeMap<String, String>,
}

/// What is expected of one flow.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    Verdict(String),
    Detailed(Detailed),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Detailed {
    /// `status code lost`, the last where one is expected; `pass` is short for `pass ok`.
    pub verdict: String,
    pub rejected_by: Option<String>,
    pub last_hop: Option<String>,
    pub confidence: Option<String>,
    #[serde(default)]
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Words that the sentence or the remedy must say.
    #[serde(default)]
    pub says: Vec<String>,
}

impl Wanted {
    pub fn detailed(&self) -> Detailed {
        match self {
            Self::Detailed(wanted) => wanted.clone(),
            Self::Verdict(verdict) => Detailed {
                verdict: verdict.clone(),
                rejected_by: None,
                last_hop: None,
                confidence: None,
                facts: BTreeMap::new(),
                says: Vec::new(),
            },
        }
    }
}

/// A folder with other scenarios than the lab's own.
const OTHER_SCENARIOS: &str = "LAB_SCENARIOS";

/// Every scenario, by name; one that can't be read is its error.
///
/// # Panics
/// Where the folder can't be read.
pub fn all() -> Vec<(String, Result<Scenario, String>)> {
    let folder = std::env::var_os(OTHER_SCENARIOS).map_or_else(|| folder("scenarios"), PathBuf::from);
    let mut found: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), read(&path)))
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// The file that describes a service: in `services` beside other scenarios, else among the lab's own.
pub fn service_file(name: &str) -> PathBuf {
    let file = format!("{name}.yaml");
    let other =
        std::env::var_os(OTHER_SCENARIOS).map(|scenarios| PathBuf::from(scenarios).join("services").join(&file));
    other.filter(|path| path.exists()).unwrap_or_else(|| folder("services").join(file))
}

/// A folder of the lab.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name)
}

/// Reads a YAML file; the error says which file, where and what.
///
/// # Errors
/// The file can't be read, or holds what its kind doesn't know.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
