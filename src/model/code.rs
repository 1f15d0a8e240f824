//! The closed list of finding codes. Each has a page in `bothways explain CODE`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($group:ident { $($variant:ident = $word:literal),+ $(,)? })+) => {
        /// What a finding says, from a closed list; stable in every format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code { $($(#[serde(rename = $word)] $variant,)+)+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$($(Code::$variant,)+)+];

            /// The stable word of this code.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $($(Code::$variant => $word,)+)+ }
            }

            /// The part of a conversation that this code speaks of.
            #[must_use]
            pub fn group(self) -> Group {
                match self { $($(Code::$variant => Group::$group,)+)+ }
            }
        }
    };
}

codes! {
    Reach {
        Ok = "ok", Refused = "refused", RefusedInPath = "refused-in-path", Dropped = "dropped", Rejected = "rejected",
        Unreachable = "unreachable", LocalBlock = "local-block", AcceptedInPath = "accepted-in-path",
        ClosedAfterConnect = "closed-after-connect", ResetAfterConnect = "reset-after-connect",
        ResetOnPayload = "reset-on-payload", Silent = "silent", WrongService = "wrong-service",
        LargePacketsLost = "large-packets-lost", NoAnswer = "no-answer",
    }
    Name {
        NameNotFound = "name-not-found", NameNoAddress = "name-no-address", NameServerSilent = "name-server-silent",
        NameServerFailed = "name-server-failed", NameDiffers = "name-differs",
    }
    Tls {
        TlsNotSpoken = "tls-not-spoken", TlsDropped = "tls-dropped", TlsReset = "tls-reset", TlsVersion = "tls-version",
        TlsExpired = "tls-expired", TlsNotYetValid = "tls-not-yet-valid", TlsNameMismatch = "tls-name-mismatch",
        TlsUntrusted = "tls-untrusted", TlsIntercepted = "tls-intercepted", TlsClientCertificate = "tls-client-certificate",
    }
    Proxy {
        ProxyUnreachable = "proxy-unreachable", ProxyAuthRequired = "proxy-auth-required", ProxyAuthFailed = "proxy-auth-failed",
        ProxyDenied = "proxy-denied", ProxyConnectRefused = "proxy-connect-refused", ProxyUpstreamFailed = "proxy-upstream-failed",
    }
    Http {
        HttpStatus = "http-status", HttpRedirected = "http-redirected", HttpAltered = "http-altered",
        HttpSizeLimited = "http-size-limited", HttpStalled = "http-stalled",
    }
    Websocket {
        WsRefused = "ws-refused", WsUpgradeStripped = "ws-upgrade-stripped", WsBadAccept = "ws-bad-accept",
        WsFramesLost = "ws-frames-lost", WsIdleKilled = "ws-idle-killed",
    }
    Sql {
        SqlNotTds = "sql-not-tds", SqlStrictOnly = "sql-strict-only", SqlEncryptionMismatch = "sql-encryption-mismatch",
        SqlLoginFailed = "sql-login-failed", SqlInstanceUnknown = "sql-instance-unknown",
        SqlBrowserSilent = "sql-browser-silent", SqlInstancePortBlocked = "sql-instance-port-blocked",
    }
    Smb {
        SmbDialect = "smb-dialect", SmbSigningRequired = "smb-signing-required", SmbLoginFailed = "smb-login-failed",
        SmbShareMissing = "smb-share-missing", SmbAccessDenied = "smb-access-denied",
    }
    Tftp {
        TftpTransferPortBlocked = "tftp-transfer-port-blocked", TftpStalled = "tftp-stalled",
        TftpFileMissing = "tftp-file-missing", TftpAccessDenied = "tftp-access-denied",
    }
    Run {
        Flaky = "flaky", FallbackInUse = "fallback-in-use", Exposed = "exposed", PrerequisiteFailed = "prerequisite-failed",
        NotTestableFromHere = "not-testable-from-here", NeedsCredentials = "needs-credentials", PortInUse = "port-in-use",
        TimedOut = "timed-out", ToolError = "tool-error",
    }
}

/// The part of a conversation that a code speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    Reach,
    Name,
    Tls,
    Proxy,
    Http,
    Websocket,
    Sql,
    Smb,
    Tftp,
    Run,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.word() == word).ok_or_else(|| UnknownCode(word.to_owned()))
    }
}

/// A word that is not in the list of codes.
#[derive(Debug, thiserror::Error)]
#[error("there is no code `{0}`")]
pub struct UnknownCode(pub String);
