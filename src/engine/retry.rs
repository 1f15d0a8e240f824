//! When a check is tried again: only where the failure can be chance, never where an answer was given.

use std::time::Duration;

use super::attempt::Attempt;
use crate::model::code::Code;
use crate::model::finding::{Confidence, Judgement, Status};

/// The wait before the second attempt; before every later one it is twice as long as before the last.
const PAUSE: Duration = Duration::from_millis(200);

/// The wait after an ICMP message in place of an answer: devices send only so many of them, about one a second for each
/// machine, and other checks need theirs.
pub const ICMP_PAUSE: Duration = Duration::from_millis(1100);

/// The wait after so many attempts.
#[must_use]
pub fn pause(made: u32) -> Duration {
    PAUSE * 2u32.saturating_pow(made.saturating_sub(1)).min(8)
}

/// Whether another attempt could say something else. Refused logins and bad certificates are not chance, and a retried
/// login may lock an account.
#[must_use]
pub fn worthwhile(judgement: &Judgement) -> bool {
    // Blocks of several sizes were asked for beside each other: that has taken the time of more attempts already.
    let by_size = judgement.code == Code::TftpStalled && judgement.lost.is_some();
    !by_size
        && matches!(judgement.status, Status::Fail | Status::Unknown)
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
                | Code::SqlInstancePortBlocked
                | Code::TftpStalled
        )
}

/// Two attempts to one. Silence after an answer takes nothing back: the later attempt has less time, and routers send
/// only so many ICMP messages a second.
#[must_use]
pub(super) fn settle(earlier: Attempt, later: Attempt, attempts: u32, target: &str) -> Attempt {
    match later.judgement.status {
        Status::Pass => Attempt { judgement: flaky(&earlier.judgement, attempts, target), ..later },
        Status::Warn => Attempt { judgement: told(&earlier.judgement, later.judgement, attempts), ..later },
        _ if telling(&later.judgement) < telling(&earlier.judgement) => earlier,
        _ => later,
    }
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
fn flaky(first: &Judgement, attempts: u32, target: &str) -> Judgement {
    let sentence = format!("Worked in 1 of {attempts} attempts, the last one. Before: {}", first.sentence);
    let remedy = Some(crate::diagnose::flaky::remedy(target));
    Judgement { remedy, ..Judgement::warn(Code::Flaky, Confidence::Proven, sentence) }
}

/// The judgement of a check that works with a warning of its own, and only after it had failed.
fn told(first: &Judgement, warned: Judgement, attempts: u32) -> Judgement {
    let sentence =
        format!("{} It came so far in 1 of {attempts} attempts only. Before: {}", warned.sentence, first.sentence);
    Judgement { sentence, ..warned }
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
        assert_eq!(
            settle(failed(Code::Unreachable), failed(Code::Dropped), 2, "srv:80").judgement.code,
            Code::Unreachable
        );
        assert_eq!(settle(failed(Code::Dropped), unfinished(), 2, "srv:80").judgement.code, Code::Dropped);
        assert_eq!(
            settle(failed(Code::Dropped), attempt(Judgement::error("?")), 2, "srv:80").judgement.code,
            Code::Dropped
        );
        assert_eq!(settle(failed(Code::Dropped), failed(Code::Refused), 2, "srv:80").judgement.code, Code::Refused);
        assert_eq!(settle(failed(Code::Refused), failed(Code::Rejected), 2, "srv:80").judgement.code, Code::Rejected);
    }

    #[test]
    fn a_warning_after_a_failure_keeps_its_code_and_tells_the_failure() {
        let warned = attempt(Judgement::warn(Code::NeedsCredentials, Confidence::Proven, "Answers."));
        let settled = settle(failed(Code::Refused), warned, 2, "srv:80").judgement;
        assert_eq!((settled.status, settled.code), (Status::Warn, Code::NeedsCredentials));
        assert!(settled.sentence.contains("1 of 2 attempts") && settled.sentence.contains("refused"), "{settled:?}");
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let pauses: Vec<u128> = (1..7).map(|made| pause(made).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 1600, 1600]);
    }

    #[test]
    fn a_pass_after_a_failure_is_flaky_and_tells_the_failure() {
        let settled = settle(failed(Code::Refused), attempt(Judgement::pass("Works.")), 3, "srv:80").judgement;
        assert_eq!((settled.status, settled.code), (Status::Warn, Code::Flaky));
        assert!(
            settled.sentence.contains("1 of 3 attempts") && settled.sentence.contains("refused"),
            "{}",
            settled.sentence
        );
    }
}
