//! Flows that must be blocked: what was found of them, weighed against what the check expects.
//!
//! A flow is judged as if it had to work, and only then turned round. What is blocked is so *from here*: silence alone does not
//! tell why. What was found stays in the facts, so that more evidence can be weighed in later.

use serde_json::json;

use crate::model::code::{Code, Group};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Remedy, Status, Who};
use crate::model::flow::{Expect, Transport};
use crate::model::run::Outcome;

/// What a flow that must be blocked was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Open(Confidence),
    Blocked(Confidence),
    /// Neither is proved.
    Untold,
}

/// Weighs an outcome against what its check expects; once.
pub fn judge(outcome: &mut Outcome) {
    let settled = matches!(outcome.status, Status::Skip | Status::Error) || is_judged(outcome);
    if outcome.expect == Expect::Open || settled || outcome.code == Code::TimedOut {
        return;
    }
    let (found, target) = (found(outcome), outcome.target.clone().unwrap_or_default());
    let raw = json!({
        "status": outcome.status, "code": outcome.code, "confidence": outcome.confidence, "lost": outcome.lost,
        "sentence": outcome.sentence, "remedy": outcome.remedy,
    });
    outcome.facts.insert(Fact::Found.word().to_owned(), raw);
    let seen = std::mem::take(&mut outcome.sentence);
    match found {
        Found::Open(confidence) => {
            outcome.sentence = format!("{target} is open from here, and must not be: {seen}");
            (outcome.status, outcome.code, outcome.confidence) = (Status::Fail, Code::Exposed, confidence);
            outcome.remedy = Some(Remedy { who: Who::Network, text: outcome.rule.clone() });
            outcome.lost = None;
        }
        Found::Blocked(confidence) => {
            let only = if outcome.code == Code::Refused {
                " Whether a firewall refuses, or nothing listens there at the moment, is not told apart."
            } else {
                ""
            };
            outcome.sentence = format!("{target} is not open from here, as it must be: {seen}{only}");
            (outcome.status, outcome.code, outcome.confidence) = (Status::Pass, Code::Ok, confidence);
            (outcome.remedy, outcome.lost) = (None, None);
        }
        Found::Untold => {
            outcome.sentence = format!("Whether {target} is blocked, as it must be, is not proved: {seen}");
            (outcome.status, outcome.confidence) = (Status::Unknown, Confidence::Possible);
            (outcome.remedy, outcome.lost) = (None, None);
        }
    }
}

/// Gives an outcome back what was found of it, before it was weighed.
pub fn restore(outcome: &mut Outcome) {
    let Some(found) = outcome.facts.remove(Fact::Found.word()) else { return };
    outcome.status = read(&found, "status").unwrap_or(outcome.status);
    outcome.code = read(&found, "code").unwrap_or(outcome.code);
    outcome.confidence = read(&found, "confidence").unwrap_or(outcome.confidence);
    outcome.sentence = read(&found, "sentence").unwrap_or_default();
    outcome.lost = read(&found, "lost");
    outcome.remedy = read(&found, "remedy");
}

fn read<T: serde::de::DeserializeOwned>(found: &serde_json::Value, name: &str) -> Option<T> {
    serde_json::from_value(found.get(name)?.clone()).ok()
}

fn is_judged(outcome: &Outcome) -> bool {
    outcome.facts.contains_key(Fact::Found.word())
}

fn found(outcome: &Outcome) -> Found {
    let (code, known) = (outcome.code, outcome.confidence);
    if code == Code::AcceptedInPath {
        return Found::Untold;
    }
    if matches!(outcome.status, Status::Pass | Status::Warn) {
        return Found::Open(known);
    }
    match code.group() {
        Group::Reach => reach(outcome),
        Group::Tls => tls(code),
        Group::Proxy => match code {
            Code::ProxyDenied => Found::Blocked(known),
            Code::ProxyConnectRefused => Found::Blocked(Confidence::Likely),
            _ => Found::Untold,
        },
        Group::Http if matches!(code, Code::HttpRedirected | Code::HttpAltered) => Found::Untold,
        Group::Http | Group::Websocket => Found::Open(Confidence::Likely),
        Group::Sql => match code {
            Code::SqlBrowserSilent => Found::Untold,
            Code::SqlInstancePortBlocked => Found::Blocked(Confidence::Likely),
            _ => Found::Open(known),
        },
        Group::Smb | Group::Tftp => Found::Open(known),
        Group::Name | Group::Run => Found::Untold,
    }
}

fn reach(outcome: &Outcome) -> Found {
    match outcome.code {
        // A service would have been reached; only a far side that looks can say whether there is one.
        Code::Refused => Found::Blocked(Confidence::Possible),
        Code::Dropped if outcome.transport == Transport::Udp && outcome.lost.is_none() => Found::Untold,
        Code::Dropped | Code::Rejected | Code::RefusedInPath | Code::LocalBlock => Found::Blocked(outcome.confidence),
        Code::Unreachable => Found::Blocked(Confidence::Likely),
        Code::NoAnswer => Found::Untold,
        // Something accepted the connection: the way is open as far as that.
        _ => Found::Open(Confidence::Likely),
    }
}

fn tls(code: Code) -> Found {
    match code {
        Code::TlsIntercepted => Found::Untold,
        Code::TlsDropped | Code::TlsReset | Code::TlsNotSpoken => Found::Open(Confidence::Likely),
        _ => Found::Open(Confidence::Proven),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::fold::tests::failed;

    fn expected(status: Status, code: Code) -> Outcome {
        let raw = Outcome { status, expect: Expect::Blocked, ..failed("a", "srv:1433", code) };
        let mut judged = raw.clone();
        judge(&mut judged);
        let mut twice = judged.clone();
        judge(&mut twice);
        assert_eq!(twice, judged, "weighed once");
        let mut back = judged.clone();
        restore(&mut back);
        assert_eq!(back, raw, "nothing is lost");
        judged
    }

    #[test]
    fn what_answers_is_exposed_whatever_it_says() {
        for (status, code) in [
            (Status::Pass, Code::Ok),
            (Status::Warn, Code::NeedsCredentials),
            (Status::Warn, Code::Flaky),
            (Status::Fail, Code::SqlLoginFailed),
            (Status::Fail, Code::TlsExpired),
            (Status::Fail, Code::Silent),
            (Status::Fail, Code::WrongService),
            (Status::Fail, Code::HttpStatus),
        ] {
            let judged = expected(status, code);
            assert_eq!((judged.status, judged.code), (Status::Fail, Code::Exposed), "{code}");
        }
    }

    #[test]
    fn what_does_not_get_through_passes_with_the_confidence_of_its_evidence() {
        for (code, confidence) in [
            (Code::Dropped, Confidence::Likely),
            (Code::Rejected, Confidence::Likely),
            (Code::Refused, Confidence::Possible),
        ] {
            let judged = expected(Status::Fail, code);
            assert_eq!((judged.status, judged.code, judged.confidence), (Status::Pass, Code::Ok, confidence), "{code}");
            assert_eq!(judged.remedy, None, "a rule that opens it is no remedy");
        }
    }

    #[test]
    fn what_proves_neither_is_unknown() {
        for (status, code) in [
            (Status::Unknown, Code::NoAnswer),
            (Status::Warn, Code::AcceptedInPath),
            (Status::Fail, Code::NameNotFound),
            (Status::Fail, Code::ProxyUnreachable),
        ] {
            assert_eq!(expected(status, code).status, Status::Unknown, "{code}");
        }
    }

    #[test]
    fn what_was_not_tested_stays_so() {
        for status in [Status::Skip, Status::Error] {
            assert_eq!(expected(status, Code::NotTestableFromHere).status, status);
        }
    }
}
