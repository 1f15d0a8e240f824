//! What checks may read of an endpoint, by key, and whether a check applies to it.

use super::{Condition, Endpoint, EndpointKind, Priority, ProxySetting};
use crate::model::ask::host_port;
use crate::model::probe::SqlEncryption;

/// The keys that `when` may name, besides ports.
pub(super) const KEYS: [&str; 19] = [
    "name",
    "role",
    "host",
    "priority",
    "source",
    "https",
    "proxy",
    "proxy-auth",
    "proxy-user",
    "instance",
    "database",
    "encryption",
    "share",
    "file",
    "user",
    "domain",
    "parent",
    "parent-of",
    "kind",
];

impl Endpoint {
    /// Whether the key is set.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The value of a key as a profile writes it; `None` where it is not set or there is no such key. Secrets have no value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<String> {
        match key {
            "name" => Some(self.name.clone()),
            "role" => Some(self.role.clone()),
            "host" => self.host.clone(),
            "priority" => self.priority.map(|priority| priority.word().to_owned()),
            "source" => self.source.map(|source| source.to_string()),
            "https" => self.https.map(|https| https.to_string()),
            "proxy" => self.proxy.value(),
            "proxy-auth" => self.proxy_account.as_ref().map(|_| self.proxy_auth.word().to_owned()),
            "proxy-user" => self.proxy_account.as_ref().map(|account| account.user.clone()),
            "instance" => self.instance.clone(),
            "database" => self.database.clone(),
            "encryption" => self.encryption.map(|encryption| encryption_word(encryption).to_owned()),
            "share" => self.share.clone(),
            "file" => self.file.clone(),
            "user" => self.account.as_ref().map(|account| account.user.clone()),
            "domain" => self.account.as_ref().and_then(|account| account.domain.clone()),
            "parent" => self.parent.clone(),
            "parent-of" => (!self.parent_of.is_empty()).then(|| self.parent_of.join(", ")),
            "kind" => self.kind.map(|kind| kind.word().to_owned()),
            _ => self.port(key).map(|port| port.to_string()),
        }
    }

    /// The port under this key: `port`, `browser-port`, …
    #[must_use]
    pub fn port(&self, key: &str) -> Option<u16> {
        self.ports.iter().find(|(name, _)| name == key).map(|(_, port)| *port)
    }
}

/// What a key that is not set stands for.
fn default_of(key: &str) -> Option<&'static str> {
    match key {
        "kind" => Some(EndpointKind::Share.word()),
        "priority" => Some(Priority::Primary.word()),
        "proxy" | "proxy-auth" => Some("none"),
        "encryption" => Some(encryption_word(SqlEncryption::Any)),
        "https" => Some("false"),
        _ => None,
    }
}

impl Condition {
    /// Whether a check with this condition applies to the endpoint.
    #[must_use]
    pub fn holds(&self, endpoint: &Endpoint) -> bool {
        let equal = |(key, wanted): &(String, String)| {
            endpoint.value(key).as_deref().or_else(|| default_of(key)) == Some(wanted.as_str())
        };
        self.set.iter().all(|key| endpoint.has(key))
            && !self.unset.iter().any(|key| endpoint.has(key))
            && self.equals.iter().all(equal)
    }
}

impl ProxySetting {
    fn value(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::System => Some("system".to_owned()),
            Self::At { host, port } => Some(format!("http://{}", host_port(host, *port))),
        }
    }
}

impl Priority {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

impl EndpointKind {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Http => "http",
        }
    }
}

fn encryption_word(encryption: SqlEncryption) -> &'static str {
    match encryption {
        SqlEncryption::Any => "any",
        SqlEncryption::Required => "required",
        SqlEncryption::Strict => "strict",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_reads_the_endpoint_and_its_defaults() {
        let endpoint = Endpoint {
            instance: Some("MIRADORE".to_owned()),
            ports: vec![("port".to_owned(), 1)],
            ..Endpoint::default()
        };
        let words = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let equals = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let condition = |set, unset, equals| Condition { set, unset, equals, otherwise: String::new() };
        assert!(condition(words(&["instance", "port"]), words(&["host"]), equals("kind", "share")).holds(&endpoint));
        assert!(!condition(words(&["host"]), vec![], vec![]).holds(&endpoint));
        assert!(!condition(vec![], words(&["port"]), vec![]).holds(&endpoint));
        assert!(!condition(vec![], vec![], equals("kind", "http")).holds(&endpoint));
        assert!(condition(vec![], vec![], equals("https", "false")).holds(&endpoint));
    }
}
