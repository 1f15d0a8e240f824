//! What was observed, in order: steps with their timing, and facts. No judgement here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub kind: StepKind,
    /// Milliseconds from the start of the run.
    pub at_ms: u64,
    /// How long the step took, in milliseconds with three decimals.
    pub took_ms: Millis,
    /// The address spoken to (`ip:port`), or the name asked for in a `resolve` step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Why the step failed; absent where it succeeded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Failure>,
    /// The operating system's error number, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os_code: Option<i32>,
    /// The ICMP message behind the failure, where the system could tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<Icmp>,
    /// One short line for people: what was asked or answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// A duration in microseconds that is written as milliseconds (`12.345`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Millis(pub u64);

impl Millis {
    #[must_use]
    pub fn from_duration(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }

    /// The value in milliseconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run stay far below 2^52")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Millis {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to zero and above first")]
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self((f64::deserialize(deserializer)?.max(0.0) * 1000.0).round() as u64))
    }
}

impl JsonSchema for Millis {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Millis".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0 })
    }
}

/// The kinds of steps, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// A name became addresses.
    Resolve,
    /// A TCP connection was opened, or a UDP socket was made ready.
    Connect,
    /// A proxy was asked for a tunnel.
    Proxy,
    /// A TLS handshake.
    Tls,
    /// The question was sent.
    Request,
    /// The answer was awaited.
    Reply,
    /// The connection was kept idle, then used again.
    Hold,
}

/// Why a step failed: a closed list, mapped once from OS codes and typed errors, never from message text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Nothing came back in the time given.
    TimedOut,
    /// A reset, or an ICMP port-unreachable, in answer to the first packet.
    Refused,
    /// A reset on an open connection.
    Reset,
    /// The far side closed before it had answered.
    Closed,
    /// No such host at the last link, or an ICMP message that says so.
    HostUnreachable,
    /// No route from here, or an ICMP message that says so.
    NetworkUnreachable,
    /// An ICMP message of a kind that the system has no better word for.
    Rejected,
    /// The operating system of this machine refused to send.
    Denied,
    /// The port is taken on this machine.
    AddressInUse,
    /// The source address asked for is not on this machine.
    AddressUnavailable,
    /// This machine gives the program no further sockets.
    NoMoreSockets,
    NameNotFound,
    NameNoAddress,
    NameServerSilent,
    NameServerFailed,
    /// The answer is not the protocol asked for.
    Malformed,
    /// A well-formed answer, but not the one that was needed; the facts say which.
    Unexpected,
    /// TLS was not spoken by the far side.
    NotTls,
    /// No TLS version or cipher in common.
    TlsVersion,
    /// The far side ended the handshake with an alert; the facts name it.
    TlsAlert,
    TlsExpired,
    TlsNotYetValid,
    TlsNameMismatch,
    TlsUntrusted,
    /// The certificate is not the one that the profile expects (fingerprint or issuer).
    TlsIntercepted,
    /// The far side wants a certificate from this side.
    TlsClientCertificate,
    /// This step needs a user name and password that the profile does not give.
    NeedsCredentials,
    /// This build lacks the feature that the step needs; the facts name it.
    NotBuilt,
    /// The run was stopped (Ctrl-C or its deadline) before the step ended.
    Interrupted,
    /// The tool itself failed.
    Internal,
}

/// An ICMP message that explains a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Icmp {
    #[serde(rename = "type")]
    pub kind: u8,
    pub code: u8,
    /// The device that sent it, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<IpAddr>,
    /// Whether it is `ICMPv6`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub v6: bool,
}

/// Everything observed of one conversation with one address.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub steps: Vec<Step>,
    pub facts: Facts,
}

/// Named values, by the names in [`Fact`].
pub type Facts = BTreeMap<String, serde_json::Value>;

impl Evidence {
    /// The step that ended the conversation early: the last one that failed, whatever was tried after it to explain it
    /// (a step whose failure another way made good is recorded as gone well, with a note).
    #[must_use]
    pub fn stopped_at(&self) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.error.is_some())
    }

    /// Whether a step of this kind was reached and went well.
    #[must_use]
    pub fn passed(&self, kind: StepKind) -> bool {
        self.steps.iter().any(|step| step.kind == kind && step.error.is_none())
    }

    #[must_use]
    pub fn fact(&self, fact: Fact) -> Option<&serde_json::Value> {
        self.facts.get(fact.word())
    }

    #[must_use]
    pub fn text(&self, fact: Fact) -> Option<&str> {
        self.fact(fact)?.as_str()
    }

    #[must_use]
    pub fn number(&self, fact: Fact) -> Option<u64> {
        self.fact(fact)?.as_u64()
    }

    /// Whether the fact is there and is `true`.
    #[must_use]
    pub fn holds(&self, fact: Fact) -> bool {
        self.fact(fact).and_then(serde_json::Value::as_bool) == Some(true)
    }
}
