//! When a check is tried again: only where the failure can be chance, never where an answer was given.

use std::time::Duration;

use super::attempt::Attempt;
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

/// Two attempts to one. Silence after an answer takes nothing back: the later attempt has less time, and routers send
/// only so many ICMP messages a second.
#[must_use]
pub(super) fn settle(earlier: Attempt, later: Attempt, attempts: u32) -> Attempt {
    if later.judgement.status == Status::Pass {
        return Attempt { judgement: flaky(&earlier.judgement, later.judgement, attempts), ..later };
    }
    if telling(&later.judgement) < telling(&earlier.judgement) { earlier } else { later }
}

/// How much a failure says: least where the attempt was not ended or the tool failed, little where there was only silence.
fn telling(judgement: &Judgement) -> u8 {
    match judgement.code {
        Code::TimedOut | Code::ToolError => 0,
        Code::Dropped | Code::NoAnswer | Code::SqlBrowserSilent | Code::NameServerSilent | Code::ProxyUnreachable => 1,
        _ => 2,
    }
}

/// The judgement of a check that passed only after it had failed.
fn flaky(first: &Judgement, passed: Judgement, attempts: u32) -> Judgement {
    let sentence = format!("Worked at attempt {attempts}, after this: {}", first.sentence);
    let remedy = first.remedy.clone().or(passed.remedy);
    Judgement { remedy, ..Judgement::warn(Code::Flaky, Confidence::Proven, sentence) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Evidence;

    fn attempt(judgement: Judgement) -> Attempt {
        Attempt { judgement, evidence: Evidence::default() }
    }

    fn failed(code: Code) -> Attempt {
        attempt(Judgement::fail(code, Confidence::Likely, code.to_string()))
    }

    #[test]
    fn silence_after_an_answer_takes_nothing_back() {
        let unfinished = || attempt(Judgement::unknown(Code::TimedOut, "The run ended."));
        assert_eq!(settle(failed(Code::Unreachable), failed(Code::Dropped), 2).judgement.code, Code::Unreachable);
        assert_eq!(settle(failed(Code::Dropped), unfinished(), 2).judgement.code, Code::Dropped);
        assert_eq!(settle(failed(Code::Dropped), attempt(Judgement::error("?")), 2).judgement.code, Code::Dropped);
        assert_eq!(settle(failed(Code::Dropped), failed(Code::Refused), 2).judgement.code, Code::Refused);
        assert_eq!(settle(failed(Code::Refused), failed(Code::Rejected), 2).judgement.code, Code::Rejected);
    }

    #[test]
    fn a_pass_after_a_failure_is_flaky_and_tells_the_failure() {
        let settled = settle(failed(Code::Refused), attempt(Judgement::pass("Works.")), 3).judgement;
        assert_eq!((settled.status, settled.code), (Status::Warn, Code::Flaky));
        assert!(settled.sentence.contains("attempt 3") && settled.sentence.contains("refused"), "{}", settled.sentence);
    }
}
