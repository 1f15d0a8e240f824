//! Spans of time as people write them in profiles: `500ms`, `5s`, `2m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time: a number with `ms`, `s` or `m`, of one hour at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

/// Why a text is not a span of time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write a number with `ms`, `s` or `m`, of one hour at most, such as `500ms` or `5s`")]
pub struct BadSpan;

impl Span {
    /// The least time in which an answer can be awaited: less says nothing of the network, only of the waiting.
    pub const LEAST_WAIT: Self = Self::millis(100);

    pub const PATTERN: &'static str = r"^[0-9]{1,7}(ms|s|m)$";

    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or(BadSpan)?;
        let (number, unit) = text.split_at(unit);
        let number: u64 = number.parse().map_err(|_| BadSpan)?;
        let millis = match unit {
            "ms" => number,
            "s" => number.checked_mul(1000).ok_or(BadSpan)?,
            "m" => number.checked_mul(60_000).ok_or(BadSpan)?,
            _ => return Err(BadSpan),
        };
        if millis > 3_600_000 {
            return Err(BadSpan);
        }
        Ok(Self::millis(millis))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1000) { write!(f, "{}s", millis / 1000) } else { write!(f, "{millis}ms") }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": Self::PATTERN, "description": "a span of time, such as 500ms, 5s or 2m" })
    }
}
