//! Exactly what the YAML of a profile or a check may say. The published JSON Schemas are made from these types.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{EndpointKind, Priority, Traffic};
use crate::model::ask::{ProxyAuth, TlsExpectation};
use crate::model::flow::{Carries, Expect, Transport};
use crate::model::probe::{Probe, SqlEncryption};
use crate::model::secret::SecretSource;
use crate::model::span::Span;

/// What a role, an endpoint, a check and a task may be called.
pub const NAME: &str = "^[a-z0-9][a-z0-9-]{0,63}$";

/// Who talks to whom: roles bound to hosts, the checks that apply, and settings.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "values are read one by one with their places; the whole is there for its schema")]
pub struct ProfileFile {
    /// What the profile is for, in a few words.
    #[serde(default)]
    title: Option<String>,
    /// The profile that this one completes: a built-in name, or a file relative to this one. Maps join, lists are replaced.
    #[serde(default)]
    #[schemars(length(min = 1))]
    extends: Option<String>,
    /// The places in the network, and what people call them.
    #[serde(default)]
    #[schemars(with = "Option<Names<String>>")]
    roles: (),
    /// A list of check ids; or a map of check ids to `on`, `off`, what to change in the check, or a check of its own.
    #[serde(default)]
    #[schemars(with = "Option<Checks>")]
    checks: (),
    /// Hosts by name. An endpoint's role is its own name unless it says another.
    #[serde(default)]
    #[schemars(with = "Option<Names<Option<EndpointFile>>>")]
    endpoints: (),
    #[serde(default)]
    settings: Option<SettingsFile>,
}

/// What holds for a whole run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettingsFile {
    /// The time that one check may take in all, retries included: 5s where left out.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// The time that the whole run may take: 30s where left out, more where a check is given more.
    #[serde(default)]
    pub deadline: Option<Span>,
    /// How often a check is tried at most within its timeout: 2 where left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,
    /// Addresses of name servers to ask instead of the system's.
    #[serde(default)]
    pub name_servers: Option<Vec<IpAddr>>,
}

/// A host that plays a role, or several hosts that play the same one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(transform = ports_by_name)]
pub struct EndpointFile {
    /// The role that this endpoint plays: its own name where left out.
    #[serde(default)]
    #[schemars(regex(pattern = NAME))]
    pub role: Option<String>,
    /// A host name or an address, without a port.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub host: Option<String>,
    /// Short for several endpoints that differ in nothing but the host: names or addresses, each with `:port` if need be.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub hosts: Option<Vec<String>>,
    /// Every endpoint is tested, whatever its priority.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// The address to speak from when this machine plays this endpoint's role.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Whether HTTP and WebSocket checks towards this host use TLS.
    #[serde(default)]
    pub https: Option<bool>,
    /// How this host is reached over HTTP: `none` (the default), `system` (`HTTP_PROXY` and its like), or a proxy's
    /// `http://host:port`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub proxy: Option<String>,
    /// How to prove oneself to the proxy.
    #[serde(default)]
    pub proxy_auth: Option<ProxyAuth>,
    /// The user for the proxy, as `user` or `DOMAIN\user`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub proxy_user: Option<String>,
    /// Where the proxy user's password comes from.
    #[serde(default)]
    pub proxy_password: Option<SecretSource>,
    /// What the host's certificate must be.
    #[serde(default)]
    pub tls: Option<TlsExpectation>,
    /// The named instance of SQL Server.
    #[serde(default)]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[^\\/;,:]+$"))]
    pub instance: Option<String>,
    /// The database to open when an account is given.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pub database: Option<String>,
    /// What encryption to ask SQL Server for: `any` where left out.
    #[serde(default)]
    pub encryption: Option<SqlEncryption>,
    /// The name of a file share, without the host.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[^\\/:*?<>|]{1,80}$"))]
    pub share: Option<String>,
    /// The file to ask a TFTP server for.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub file: Option<String>,
    /// The user to log in with, as `user` or `DOMAIN\user`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub user: Option<String>,
    /// Where the user's password comes from.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// The user's domain.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub domain: Option<String>,
    /// The endpoint of the same role that this one gets its files from.
    #[serde(default)]
    #[schemars(regex(pattern = NAME))]
    pub parent: Option<String>,
    /// How this host offers its files: `share` where left out.
    #[serde(default)]
    pub kind: Option<EndpointKind>,
}

/// Ports are read by key, since a check may name any: `port`, `browser-port`, `agent-port`.
fn ports_by_name(schema: &mut Schema) {
    let port = |about: &str| serde_json::json!({ "description": about, "type": ["integer", "null"], "minimum": 1, "maximum": 65535 });
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        properties.insert("port".to_owned(), port("The port, where it is not the check's own default."));
    }
    let others = port("A port by the key that a check names under `port: { setting: … }`.");
    schema.insert("patternProperties".to_owned(), serde_json::json!({ "^[a-z0-9][a-z0-9-]{0,40}-port$": others }));
}

/// Whether an endpoint's key holds a port.
#[must_use]
pub fn is_port_key(key: &str) -> bool {
    key == "port" || key.ends_with("-port")
}

/// The declarative test of one documented flow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckFile {
    /// What holds when the check passes, in one short sentence.
    #[schemars(length(min = 1))]
    pub title: String,
    /// The word for what the flow is for; checks of one task stand in for each other by rank.
    #[schemars(regex(pattern = NAME))]
    pub task: String,
    /// 1 for the documented first choice, 2 for its fallback.
    #[serde(default)]
    #[schemars(range(min = 1, max = 9))]
    pub rank: Option<u8>,
    /// The role that opens the flow: the source in a firewall rule.
    #[schemars(regex(pattern = NAME))]
    pub from: String,
    /// The role that the flow is opened to: the destination in a firewall rule.
    #[schemars(regex(pattern = NAME))]
    pub to: String,
    /// Which way the news travel, where that is not the way the flow is opened.
    #[serde(default)]
    pub carries: Option<Carries>,
    /// The transport that a firewall rule names.
    pub transport: Transport,
    /// The port that the flow is opened to.
    pub port: PortFile,
    /// When the check applies, by the keys of the endpoint that it goes to.
    #[serde(default)]
    pub when: Option<WhenFile>,
    /// The protocol, with what is asked in it. Exactly one key.
    pub probe: Probe,
    /// `open` where left out; `blocked` for a flow that must not get through.
    #[serde(default)]
    pub expect: Option<Expect>,
    /// The time that the whole check may take; the profile's where left out.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// How often the check is tried at most within its timeout; the profile's where left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,
    /// What to do when the network blocks the flow; `{port}`, `{host}`, `{from}` and `{to}` are filled in.
    #[schemars(length(min = 1))]
    pub remedy: String,
    /// Where the flow is documented.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Documented sizes of one conversation in bytes, by connection method.
    #[serde(default)]
    pub traffic: Option<Vec<Traffic>>,
}

/// When a check applies. All that is said here must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WhenFile {
    /// Keys that the endpoint must have.
    #[serde(default)]
    pub set: Option<Vec<String>>,
    /// Keys that the endpoint must not have.
    #[serde(default)]
    pub unset: Option<Vec<String>>,
    /// Keys that must have this value, or be left out and have it by default.
    #[serde(default)]
    #[schemars(with = "Option<Names<Word>>")]
    pub equals: Option<Words>,
    /// The sentence that says why the check does not apply.
    #[schemars(length(min = 1))]
    pub otherwise: String,
}

/// A port, or where it comes from.
#[derive(Debug)]
pub enum PortFile {
    Fixed(u16),
    Found(PortSource),
}

/// Where a port comes from, first hit first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PortSource {
    /// The endpoint's key that holds the port: `port`, `browser-port`, …
    #[serde(default)]
    #[schemars(regex(pattern = "^([a-z0-9][a-z0-9-]*-)?port$"))]
    pub setting: Option<String>,
    /// A check towards the same endpoint that finds the port.
    #[serde(default)]
    #[schemars(regex(pattern = NAME))]
    pub found_by: Option<String>,
    /// The port where nothing else says one; 443 or 80 by `https` where left out.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub default: Option<u16>,
}

impl<'de> Deserialize<'de> for PortFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = PortFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, or a map with `setting`, `found-by` and `default`")
            }

            fn visit_u64<E: de::Error>(self, port: u64) -> Result<PortFile, E> {
                u16::try_from(port).map(PortFile::Fixed).map_err(|_| E::custom("a port is at most 65535"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PortFile, A::Error> {
                PortSource::deserialize(de::value::MapAccessDeserializer::new(map)).map(PortFile::Found)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for PortFile {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let found = generator.subschema_for::<PortSource>();
        json_schema!({ "description": "the port that the flow is opened to", "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 65535 }, found
        ] })
    }
}

/// Keys with the words that they must have; numbers and booleans are words too.
#[derive(Debug, Default)]
pub struct Words(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = serde_json::Map::deserialize(deserializer)?;
        let word = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(Self(read.into_iter().map(|(key, value)| (key, word(value))).collect()))
    }
}

struct Word;

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean", "integer"] })
    }
}

/// A map from names to something.
struct Names<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Names<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("NamesOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "propertyNames": {
            "description": "a name: lower-case letters, digits and hyphens", "pattern": NAME
        }, "additionalProperties": item })
    }
}

/// The value of `checks` in a profile.
struct Checks;

impl JsonSchema for Checks {
    fn schema_name() -> Cow<'static, str> {
        "Checks".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let changes = generator.subschema_for::<Changes>();
        json_schema!({ "anyOf": [
            { "type": "array", "items": { "type": "string", "pattern": NAME, "description": "the id of a check" } },
            { "type": "object",
              "propertyNames": { "description": "the id of a check: lower-case letters, digits and hyphens", "pattern": NAME },
              "additionalProperties": { "anyOf": [
                { "description": "`off` leaves the check out, `on` takes it in", "enum": ["on", "off", true, false, null] },
                changes
            ] } }
        ] })
    }
}

/// What a profile changes in a check: the same keys, none of them required.
struct Changes;

impl JsonSchema for Changes {
    fn schema_name() -> Cow<'static, str> {
        "Changes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = CheckFile::json_schema(generator);
        schema.remove("required");
        schema.insert("description".to_owned(), "what to change in the check, or a whole check under a new id".into());
        schema
    }
}
