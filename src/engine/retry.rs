//! When a check is tried again: only where the failure can be chance, never where an answer was given.

use std::time::Duration;

use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Status};

/// The wait before another attempt.
pub const PAUSE: Duration = Duration::from_millis(200);

/// Whether another attempt could say something else. Refused logins and bad certificates are not chance, and a retried
/// login may lock an account.
#[must_use]
pub fn worthwhile(judgement: &Judgement) -> bool {
    matches!(judgement.status, Status::Fail | Status::Unknown)
        && matches!(
            judgement.code,
            Code::Refused
                | Code::RefusedInPath
                | Code::Rejected
                | Code::Dropped
                | Code::Unreachable
                | Code::ClosedAfterConnect
                | Code::ResetAfterConnect
                | Code::ResetOnPayload
                | Code::Silent
                | Code::NoAnswer
                | Code::NameServerSilent
                | Code::NameServerFailed
                | Code::TlsDropped
                | Code::TlsReset
                | Code::ProxyUnreachable
                | Code::ProxyUpstreamFailed
                | Code::HttpStalled
                | Code::WsFramesLost
                | Code::SqlBrowserSilent
                | Code::TftpStalled
        )
}

/// The judgement of a check that passed only after it had failed.
#[must_use]
pub fn flaky(first: &Judgement, passed: Judgement, attempts: u32) -> Judgement {
    let sentence = format!("Worked at attempt {attempts}, after this: {}", first.sentence);
    let remedy = first.remedy.clone().or(passed.remedy);
    Judgement { remedy, ..Judgement::warn(Code::Flaky, Confidence::Proven, sentence) }
}
