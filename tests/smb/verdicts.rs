//! What statuses mean, without a server.

use std::net::SocketAddr;

use bothways::diagnose::judge::{self, Case};
use bothways::model::code::Code;
use bothways::model::evidence::{Evidence, Failure, Millis, Step, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Judgement, Status, Who};
use bothways::model::secret::Account;

use super::{ask, samba};
use crate::support;

/// A login as `OFFICE\deploy` to `share` that came to `stage` and was then refused with `status`.
fn refused(share: &str, stage: &str, status: &str) -> Judgement {
    let account = Account { user: "deploy".to_owned(), domain: Some("OFFICE".to_owned()), password: samba::source() };
    let mut ask = ask(445, Some(share), Some(account));
    "files.example".clone_into(&mut ask.host);
    let step = |kind, error| Step {
        kind,
        at_ms: 0,
        took_ms: Millis(0),
        address: None,
        error,
        os_code: None,
        icmp: None,
        note: None,
    };
    let mut evidence = Evidence {
        steps: vec![step(StepKind::Connect, None), step(StepKind::Reply, Some(Failure::Unexpected))],
        ..Evidence::default()
    };
    for (fact, value) in [(Fact::Stage, stage), (Fact::NtStatus, status), (Fact::Dialect, "3.1.1")] {
        evidence.facts.insert(fact.word().to_owned(), value.into());
    }
    let address: SocketAddr = "10.9.2.2:445".parse().expect("an address");
    judge::judge(&Case { flow: &support::flow(&ask), ask: &ask, address: Some(address), evidence: &evidence })
}

#[test]
fn every_reason_of_a_failed_login_is_said_in_words() {
    let reasons = [
        ("0xC000006D", "user or the password is wrong"),
        ("0xC0000072", "disabled"),
        ("0xC0000234", "locked out"),
        ("0xC0000193", "account has expired"),
        ("0xC0000071", "password has expired"),
        ("0xC0000224", "must be changed"),
        ("0xC000006E", "restriction"),
        ("0xC000006F", "time of day"),
        ("0xC0000070", "from this computer"),
        ("0xC000015B", "over the network"),
        ("0xC000005E", "no domain controller"),
        ("0xC0000133", "clocks"),
    ];
    for (status, words) in reasons {
        let judgement = refused("Setup", "negotiate", status);
        assert_eq!((judgement.status, judgement.code), (Status::Fail, Code::SmbLoginFailed), "{judgement:?}");
        assert!(judgement.sentence.contains(words), "{status}: {}", judgement.sentence);
        assert!(judgement.sentence.contains("files.example:445 (10.9.2.2)"), "{}", judgement.sentence);
        assert!(judgement.sentence.contains("`OFFICE\\deploy`"), "{}", judgement.sentence);
    }
}

#[test]
fn an_administrative_share_that_denies_access_brings_the_hint_on_local_accounts() {
    let judgement = refused("ADMIN$", "session", "0xC0000022");
    assert_eq!(judgement.code, Code::SmbAccessDenied);
    let remedy = judgement.remedy.expect("a remedy");
    assert_eq!(remedy.who, Who::TargetHost);
    assert!(remedy.text.contains("LocalAccountTokenFilterPolicy"), "{}", remedy.text);
    let ordinary = refused("Setup", "session", "0xC0000022").remedy.expect("a remedy");
    assert!(!ordinary.text.contains("LocalAccountTokenFilterPolicy"), "{}", ordinary.text);
}

#[test]
fn a_session_that_is_refused_outright_is_a_matter_of_access() {
    let judgement = refused("Setup", "negotiate", "0xC0000022");
    assert_eq!((judgement.status, judgement.code), (Status::Fail, Code::SmbAccessDenied));
}

#[test]
fn an_uncommon_status_is_told_as_it_came() {
    for stage in ["negotiate", "session", "tree"] {
        let judgement = refused("Setup", stage, "0xC00000CE");
        assert_eq!((judgement.status, judgement.code), (Status::Fail, Code::SmbAccessDenied), "{judgement:?}");
        assert!(judgement.sentence.contains("STATUS_TOO_MANY_SESSIONS (0xC00000CE)"), "{}", judgement.sentence);
    }
}
