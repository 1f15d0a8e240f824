//! One question with everything settled: what is asked, of whom, over which route, with which token.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::Probe;
use super::secret::Account;
use super::token::Token;

/// A probe that is ready to be run against a host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub probe: Probe,
    /// A name or an address, as the profile wrote it.
    pub host: String,
    pub port: u16,
    pub route: Route,
    pub tls: TlsExpectation,
    pub token: Token,
    /// The address of this machine to speak from.
    pub source: Option<IpAddr>,
    /// The largest TCP segment that either side may send, in bytes; what the interface carries where left out.
    pub largest_segment: Option<u16>,
}

impl Ask {
    /// The TCP segment that every way carries (RFC 9293 3.7.1), in bytes.
    pub const SMALLEST_SEGMENT: u16 = 536;

    /// `host:port`, with brackets around an IPv6 address.
    #[must_use]
    pub fn target(&self) -> String {
        host_port(&self.host, self.port)
    }

    /// The host and port that the first packet goes to: the proxy's where there is one.
    #[must_use]
    pub fn first_hop(&self) -> (&str, u16) {
        match &self.route {
            Route::Direct => (&self.host, self.port),
            Route::Proxy(proxy) => (&proxy.host, proxy.port),
        }
    }

    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        match &self.route {
            Route::Direct => None,
            Route::Proxy(proxy) => Some(proxy),
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// How the target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Direct,
    Proxy(Proxy),
}

/// An HTTP proxy and how this side proves itself to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    pub host: String,
    pub port: u16,
    pub auth: ProxyAuth,
    pub account: Option<Account>,
    pub origin: ProxyOrigin,
}

/// The ways in which the product's clients can prove themselves to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyAuth {
    #[default]
    None,
    Basic,
    Digest,
    Ntlm,
}

impl ProxyAuth {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Digest => "digest",
            Self::Ntlm => "ntlm",
        }
    }
}

/// Where a proxy setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyOrigin {
    Profile,
    Environment,
    /// The operating system's own settings.
    System,
}

impl ProxyOrigin {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Environment => "environment",
            Self::System => "system",
        }
    }
}

/// A proxy setting of the operating system, in its own notation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemProxy {
    /// The setting's name, as administrators know it.
    pub name: String,
    pub proxy: Option<String>,
    pub exceptions: Option<String>,
    /// The address of a script that chooses the proxy.
    pub script: Option<String>,
    /// Whether such a script is looked for in the network.
    pub searches: bool,
}

/// What a script that chooses proxies says of one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    Direct,
    /// Proxies in the system's own notation, the first to be asked first.
    Proxies(String),
    /// Nothing, and why.
    Unknown(String),
}

/// Has the operating system run the script of a setting for one URL.
pub type RunScript = fn(&SystemProxy, &str) -> Chosen;

/// What the certificate of a TLS server must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TlsExpectation {
    #[serde(default)]
    pub trust: Trust,
    /// A PEM file with certificate authorities to trust besides the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// SHA-256 of the server's own certificate, in hexadecimal, colons allowed. A match is trusted, whoever signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$"))]
    pub fingerprint: Option<String>,
    /// A text that the issuer's name must contain; another issuer is an interception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The name to ask for and to check, where it is not the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who decides whether a certificate is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The platform's trust store, as for the product's own client.
    #[default]
    Platform,
    /// Nobody: the certificate is shown but not judged, as with a client set to ignore TLS errors.
    Anyone,
}
