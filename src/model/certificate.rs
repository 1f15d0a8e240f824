//! What a TLS server's certificates say, and what is wrong with them: plain data for the facts `tls-chain` and `tls-fault`.

use serde::{Deserialize, Serialize};

/// One certificate as the server presented it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Presented {
    /// The subject's distinguished name; empty where the certificate can't be read.
    pub subject: String,
    pub issuer: String,
    /// DNS names and addresses that the certificate is for.
    pub names: Vec<String>,
    /// RFC 3339, UTC.
    pub not_before: String,
    /// RFC 3339, UTC.
    pub not_after: String,
    /// Lower-case hexadecimal, without colons.
    pub sha256: String,
    /// SHA-256 of the public key; empty where it can't be read.
    #[serde(default)]
    pub key: String,
    /// The size of its RSA key; absent where it has another kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rsa_bits: Option<usize>,
    /// The hash under its signature, where nobody accepts that one any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weak_hash: Option<String>,
    /// Where it says that its issuer's certificate can be had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer_at: Option<String>,
}

impl Presented {
    /// The least size of an RSA key that is accepted.
    pub const LEAST_RSA_BITS: usize = 2048;

    /// Whether its key is too short to be accepted.
    #[must_use]
    pub fn has_short_key(&self) -> bool {
        self.rsa_bits.is_some_and(|bits| bits < Self::LEAST_RSA_BITS)
    }
}

/// What is wrong with one certificate of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// The place in the chain as presented; 0 is the server's own, and one behind the last the trusted authority in this
    /// machine's store or the profile.
    pub certificate: usize,
    pub what: Wrong,
}

/// What can be wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    Expired,
    NotYetValid,
    /// It is not for the name that was asked for.
    NameMismatch,
    /// It is its own issuer, and nobody here trusts it.
    SelfSigned,
    /// Its issuer was presented or is named, but is no authority of the trust store.
    UnknownIssuer,
    /// Its issuer was neither presented nor is in the trust store.
    IncompleteChain,
    Revoked,
    /// It may not be used for servers.
    WrongPurpose,
    /// Its signature is not its issuer's.
    BadSignature,
    /// It is signed with an algorithm that is no longer accepted.
    WeakSignature,
    /// Its key is too short.
    WeakKey,
    /// It can't be read, or breaks the rules for certificates.
    Malformed,
    /// The trust store refuses it for a reason that has no better word.
    Refused,
    /// This machine's trust store is empty or can't be read.
    NoTrustStore,
    /// The profile's file of authorities can't be read, and the platform's store does not trust the certificate.
    AuthoritiesUnreadable,
    /// It is not the certificate whose fingerprint the profile gives.
    WrongFingerprint,
    /// It is not from the issuer that the profile names.
    WrongIssuer,
    /// The server could speak a newer version than the one that was agreed: something in between took it away.
    Downgraded,
}

/// What came back to a TLS hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelloAnswer {
    /// A handshake message: the server's own hello.
    Hello,
    /// An alert, by its name: a TLS server read the hello.
    Alert(String),
    /// Bytes that are no TLS.
    NotTls,
    Reset,
    Closed,
    /// Nothing, in the time that there was.
    Silence,
    /// It could not be said, or the time was over before an answer could be missed.
    Unheard,
}

impl HelloAnswer {
    /// Whether it was said and led to nothing.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !self.is_tls() && *self != Self::Unheard
    }

    /// Whether a TLS server has read the hello.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Hello | Self::Alert(_))
    }
}

/// A TLS hello that was said again to tell what a failed one failed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hello {
    /// The server name in it; absent where it had none.
    pub name: Option<String>,
    pub answer: HelloAnswer,
}
