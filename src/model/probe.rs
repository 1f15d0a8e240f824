//! What can be asked: one settings struct per protocol, as YAML writes it under `probe:`.
//!
//! The protocol is the key (`probe: { sql: {…} }`). Settings that a check leaves out are taken from the
//! endpoint's key of the same name (see [`super::super::plan`]); what is then still open has the default said here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::Transport;
use super::secret::Account;
use super::span::Span;

/// A protocol that the program speaks, with what a check asks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    Http(Http),
    Websocket(Websocket),
    Tcp(Tcp),
    Sql(Sql),
    SqlBrowser(SqlBrowser),
    Smb(Smb),
    Tftp(Tftp),
}

/// The protocols by name: one word in every folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Http,
    Websocket,
    Tcp,
    Sql,
    SqlBrowser,
    Smb,
    Tftp,
}

impl Protocol {
    pub const ALL: [Protocol; 7] =
        [Self::Http, Self::Websocket, Self::Tcp, Self::Sql, Self::SqlBrowser, Self::Smb, Self::Tftp];

    /// The word in YAML and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Websocket => "websocket",
            Self::Tcp => "tcp",
            Self::Sql => "sql",
            Self::SqlBrowser => "sql-browser",
            Self::Smb => "smb",
            Self::Tftp => "tftp",
        }
    }

    #[must_use]
    pub fn transport(self) -> Transport {
        match self {
            Self::SqlBrowser | Self::Tftp => Transport::Udp,
            _ => Transport::Tcp,
        }
    }

    /// Whether connections may go through an HTTP proxy.
    #[must_use]
    pub fn takes_proxy(self) -> bool {
        matches!(self, Self::Http | Self::Websocket)
    }
}

impl Probe {
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Http(_) => Protocol::Http,
            Self::Websocket(_) => Protocol::Websocket,
            Self::Tcp(_) => Protocol::Tcp,
            Self::Sql(_) => Protocol::Sql,
            Self::SqlBrowser(_) => Protocol::SqlBrowser,
            Self::Smb(_) => Protocol::Smb,
            Self::Tftp(_) => Protocol::Tftp,
        }
    }
}

/// One HTTP request. `https` comes from the endpoint unless the check fixes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Http {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<bool>,
    /// GET where left out, POST where a body is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Path and query; `/` where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Statuses that count as an answer of the right service. Where left out, every status that the service itself can
    /// give: anything but 407, 502, 503 and 504.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<StatusRange>,
    /// Bytes of the request body to send (zeroes are never sent: the body is text that does not compress to nothing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 67_108_864))]
    pub send_bytes: Option<u64>,
    /// Bytes that the answer's body must have at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 67_108_864))]
    pub receive_bytes: Option<u64>,
    /// After an answer, whether packets of full size pass as well is tried with a second request: one with a long header, or,
    /// where a responder of ours answers, with long bodies both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_packets: Option<bool>,
    /// Bytes of a header that only fills packets.
    #[serde(skip)]
    #[schemars(skip)]
    pub padding: Option<usize>,
    /// A text that the answer's body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Options,
}

/// One status (`200`) or a range (`200-299`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    pub first: u16,
    pub last: u16,
}

impl StatusRange {
    #[must_use]
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

/// A WebSocket upgrade, a ping, and optionally a time of idleness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Websocket {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<bool>,
    /// Path and query; `/` where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<String>,
    /// Keep the connection idle for this long, then prove that it still carries data both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Span>,
}

impl Websocket {
    /// The header in which a probe tells a responder how many milliseconds of idleness come; it pushes a text after them.
    pub const HOLD_HEADER: &'static str = "x-bothways-hold-ms";
    /// What precedes the token in the text that a responder pushes.
    pub const PUSH_PREFIX: &'static str = "bothways-push-";
}

/// A TCP connection. Nothing is sent unless the check names a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tcp {
    /// Text to send after connecting; `\r`, `\n`, `\t`, `\\` and `\xHH` are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Text that must come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

/// SQL Server: PRELOGIN without credentials; login and query where the endpoint names an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sql {
    /// What this side asks for; `any` where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<SqlEncryption>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `SELECT 1` where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// After an answer, whether packets of full size pass as well is tried with a second question, filled up; a
    /// responder of ours fills its answer up as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_packets: Option<bool>,
    /// Bytes that only fill packets.
    #[serde(skip)]
    #[schemars(skip)]
    pub padding: Option<usize>,
    /// Filled in by the plan from the endpoint.
    #[serde(skip)]
    #[schemars(skip)]
    pub account: Option<Account>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SqlEncryption {
    /// Whatever the server wants.
    #[default]
    Any,
    /// The server must agree to encrypt everything.
    Required,
    /// TDS 8.0: TLS first.
    Strict,
}

/// SQL Server Browser on UDP 1434.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SqlBrowser {
    /// The instance to ask for; all where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// An SMB file share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Smb {
    /// The share to map; without it the server is only negotiated with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// After an answer, whether packets of full size pass as well is tried with a second question, filled up; a
    /// responder of ours fills its answer up as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_packets: Option<bool>,
    /// Bytes that only fill packets.
    #[serde(skip)]
    #[schemars(skip)]
    pub padding: Option<usize>,
    /// Filled in by the plan from the endpoint.
    #[serde(skip)]
    #[schemars(skip)]
    pub account: Option<Account>,
}

/// A TFTP read request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tftp {
    /// The file to ask for; a name that is hardly there where left out (the server's "not found" proves the path as well).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<TftpRead>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 65464))]
    pub blksize: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub windowsize: Option<u16>,
    /// After the start of a file, whether it comes in the large blocks that network boots ask for as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_packets: Option<bool>,
}

impl Tftp {
    /// The block size of every server (RFC 1350), in bytes.
    pub const BLOCK: u16 = 512;
    /// The block size that network boots ask for (PXE; a full Ethernet packet but for a few bytes).
    pub const BOOT_BLOCK: u16 = 1456;
    /// The block size that is asked for when a whole file is read and the check names none.
    const WHOLE_FILE_BLOCK: u16 = 1428;

    /// The block size to ask for, where one is.
    #[must_use]
    pub fn asked_block(&self) -> Option<u16> {
        self.blksize.or((self.read == Some(TftpRead::Whole)).then_some(Self::WHOLE_FILE_BLOCK))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TftpRead {
    /// As much as shows that packets pass both ways; the transfer is then aborted cleanly.
    #[default]
    Start,
    /// The whole file.
    Whole,
}

mod status_range {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::StatusRange;

    impl Serialize for StatusRange {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.first == self.last {
                return serializer.serialize_u16(self.first);
            }
            serializer.collect_str(&format_args!("{}-{}", self.first, self.last))
        }
    }

    impl<'de> Deserialize<'de> for StatusRange {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = serde_json::Value::deserialize(deserializer)?;
            parse(&value).ok_or_else(|| de::Error::custom("write a status such as 200, or a range such as 200-299"))
        }
    }

    fn parse(value: &serde_json::Value) -> Option<StatusRange> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let range = StatusRange { first: number(first.trim())?, last: number(last.trim())? };
        (range.first <= range.last).then_some(range)
    }

    impl JsonSchema for StatusRange {
        fn schema_name() -> Cow<'static, str> {
            "StatusRange".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "an HTTP status such as 200, or a range such as 200-299",
                "type": ["integer", "string"], "minimum": 100, "maximum": 599,
                "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"
            })
        }
    }
}
