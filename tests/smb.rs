//! SMB: real Samba servers, hostile peers, and the responder.

mod hostile;
mod responder;
mod samba;

use std::time::Duration;

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Status, Who};
use bothways::model::probe::{Probe, Smb};
use bothways::model::secret::Account;

use crate::support::{self, Seen};
use samba::{PASSWORD, Samba};

/// Debug builds hash and encrypt slowly, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(20);

fn ask(port: u16, share: Option<&str>, account: Option<Account>) -> Ask {
    support::ask(Probe::Smb(Smb { share: share.map(str::to_owned), account }), port)
}

async fn map(samba: &Samba, share: &str) -> Seen {
    map_with(samba, share, samba::account(), PASSWORD).await
}

async fn map_with(samba: &Samba, share: &str, account: Account, password: &str) -> Seen {
    let ask = ask(samba.port, Some(share), Some(account));
    support::run_within(&ask, &[(samba::source(), password)], LIMIT).await
}

#[track_caller]
fn expect(seen: &Seen, status: Status, code: Code) {
    let judgement = &seen.judgement;
    assert_eq!((judgement.status, judgement.code), (status, code), "{judgement:?}\n{:#?}", seen.evidence);
}

#[tokio::test]
async fn a_server_that_negotiates_is_a_pass_without_credentials() {
    let samba = Samba::start("");
    let seen = support::run(&ask(samba.port, None, None)).await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.text(Fact::Dialect), Some("3.1.1"));
    assert_eq!(seen.evidence.text(Fact::Signing), Some("enabled"));
    assert_eq!(seen.evidence.text(Fact::SmbEncryption), Some("AES-128-GCM"));
    assert_eq!(seen.evidence.text(Fact::Stage), Some("negotiate"));
    assert_eq!(seen.evidence.text(Fact::ServerGuid).map(str::len), Some(36));
    assert_eq!(seen.evidence.fact(Fact::Echoed), Some(&false.into()));
    assert!(seen.evidence.number(Fact::ReceivedBytes) > Some(100), "{:?}", seen.evidence.facts);
}

#[tokio::test]
async fn a_server_on_ipv6_negotiates_and_gives_its_share() {
    let samba = Samba::start("");
    let mut ask = ask(samba.port, Some("Setup"), Some(samba::account()));
    ask.host = "::1".to_owned();
    let seen = support::run_within(&ask, &[(samba::source(), PASSWORD)], LIMIT).await;
    expect(&seen, Status::Pass, Code::Ok);
    assert!(seen.judgement.sentence.contains(&format!("[::1]:{}", samba.port)), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_share_is_mapped_and_listed_with_the_right_password() {
    let samba = Samba::start("");
    let seen = map(&samba, "Setup").await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.text(Fact::Stage), Some("list"));
    assert_eq!(seen.evidence.number(Fact::Entries), Some(3));
    let said = &seen.judgement.sentence;
    assert!(said.contains("`Setup`") && said.contains("`games`") && said.contains("3 entries"), "{said}");
    assert!(!format!("{:?}", seen.evidence).contains(PASSWORD), "the password is in the record");
}

#[tokio::test]
async fn a_share_with_many_entries_is_counted_to_the_end() {
    let samba = Samba::start("");
    for number in 0..3000 {
        let name = format!("files/a file with a rather long name, so that there are several answers {number}");
        std::fs::write(samba.path(&name), "").expect("a file");
    }
    let seen = map(&samba, "Setup").await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.number(Fact::Entries), Some(3003));
}

#[tokio::test]
async fn a_wrong_password_is_a_failed_login_on_a_fine_network() {
    let samba = Samba::start("");
    let seen = map_with(&samba, "Setup", samba::account(), "wr0ng horse").await;
    expect(&seen, Status::Fail, Code::SmbLoginFailed);
    assert_eq!(seen.evidence.text(Fact::NtStatus), Some("0xC000006D"));
    assert_eq!(seen.evidence.text(Fact::Stage), Some("negotiate"));
    assert!(seen.judgement.sentence.contains("network is fine"), "{}", seen.judgement.sentence);
    assert_eq!(seen.judgement.remedy.as_ref().map(|remedy| remedy.who), Some(Who::Profile));
    assert!(!format!("{:?}", seen.evidence).contains("wr0ng"), "the password is in the record");
}

#[tokio::test]
async fn a_disabled_account_is_said_to_be_disabled() {
    let samba = Samba::start("");
    let seen = map_with(&samba, "Setup", samba::disabled_account(), PASSWORD).await;
    expect(&seen, Status::Fail, Code::SmbLoginFailed);
    assert_eq!(seen.evidence.text(Fact::NtStatus), Some("0xC0000072"));
    assert!(seen.judgement.sentence.contains("disabled"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_missing_share_is_said_to_be_missing() {
    let samba = Samba::start("");
    let seen = map(&samba, "Nowhere").await;
    expect(&seen, Status::Fail, Code::SmbShareMissing);
    assert_eq!(seen.evidence.text(Fact::NtStatus), Some("0xC00000CC"));
    assert_eq!(seen.evidence.text(Fact::Stage), Some("session"));
}

#[tokio::test]
async fn a_share_for_others_denies_access() {
    let samba = Samba::start("");
    let seen = map(&samba, "Forbidden").await;
    expect(&seen, Status::Fail, Code::SmbAccessDenied);
    assert_eq!(seen.evidence.text(Fact::NtStatus), Some("0xC0000022"));
    assert_eq!(seen.evidence.text(Fact::Stage), Some("session"));
}

#[tokio::test]
async fn a_share_whose_folder_may_not_be_read_is_mapped_but_not_listed() {
    let samba = Samba::start("");
    let seen = map(&samba, "Unreadable").await;
    assert_eq!(seen.judgement.code, Code::SmbAccessDenied, "{:?}\n{:#?}", seen.judgement, seen.evidence);
    assert!(seen.judgement.sentence.contains("`Unreadable`"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn an_encrypted_share_is_mapped() {
    let samba = Samba::start("");
    let seen = map(&samba, "Encrypted").await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.number(Fact::Entries), Some(3));
}

#[tokio::test]
async fn a_server_that_requires_encryption_is_mapped() {
    let samba = Samba::start("server smb encrypt = required");
    let seen = map(&samba, "Setup").await;
    expect(&seen, Status::Pass, Code::Ok);
}

#[tokio::test]
async fn a_server_that_requires_signing_is_mapped() {
    let samba = Samba::start("server signing = mandatory");
    let seen = map(&samba, "Setup").await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.text(Fact::Signing), Some("required"));
}

#[tokio::test]
async fn a_server_of_every_dialect_is_mapped() {
    for (samba_word, dialect) in [("SMB2_02", "2.0.2"), ("SMB2_10", "2.1"), ("SMB3_00", "3.0"), ("SMB3_02", "3.0.2")] {
        let samba = Samba::start(&format!("server max protocol = {samba_word}"));
        let seen = map(&samba, "Setup").await;
        expect(&seen, Status::Pass, Code::Ok);
        assert_eq!(seen.evidence.text(Fact::Dialect), Some(dialect));
        assert_eq!(seen.evidence.number(Fact::Entries), Some(3));
    }
}

#[tokio::test]
async fn a_server_that_speaks_only_smb1_is_named_as_such() {
    let samba = Samba::start("server min protocol = CORE\n  server max protocol = NT1");
    let seen = support::run(&ask(samba.port, None, None)).await;
    expect(&seen, Status::Fail, Code::SmbDialect);
    assert_eq!(seen.evidence.text(Fact::Dialect), Some("1"));
    assert!(seen.judgement.sentence.contains("only SMB1"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_share_without_an_account_needs_credentials_whether_it_is_there_or_not() {
    let samba = Samba::start("");
    for (share, status) in [("Setup", "0xC0000022"), ("Nowhere", "0xC00000CC")] {
        let seen = support::run_within(&ask(samba.port, Some(share), None), &[], LIMIT).await;
        expect(&seen, Status::Warn, Code::NeedsCredentials);
        assert_eq!(seen.evidence.text(Fact::NtStatus), Some(status));
        assert_eq!(seen.evidence.text(Fact::Stage), Some("session"));
        assert!(seen.evidence.holds(Fact::Anonymous));
        assert!(seen.judgement.sentence.contains("needs a user and a password"), "{}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn a_share_that_is_open_to_all_is_mapped_without_an_account() {
    let samba = Samba::start("");
    let seen = support::run_within(&ask(samba.port, Some("Open"), None), &[], LIMIT).await;
    expect(&seen, Status::Pass, Code::Ok);
    assert!(seen.judgement.sentence.contains("without a user"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_without_anonymous_sessions_needs_credentials() {
    let samba = Samba::start("restrict anonymous = 2\n  server smb encrypt = required");
    let seen = support::run_within(&ask(samba.port, Some("Setup"), None), &[], LIMIT).await;
    expect(&seen, Status::Warn, Code::NeedsCredentials);
}

#[tokio::test]
async fn an_unknown_user_who_is_taken_for_a_guest_is_no_plain_pass() {
    let samba = Samba::start("map to guest = bad user");
    let seen = map_with(&samba, "Open", samba::named("stranger"), PASSWORD).await;
    expect(&seen, Status::Warn, Code::SmbLoginFailed);
    assert!(seen.evidence.holds(Fact::Guest));
    assert!(seen.judgement.sentence.contains("guest"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_guest_on_a_server_that_requires_signing_is_out() {
    let samba = Samba::start("map to guest = bad user\n  server signing = mandatory");
    let seen = map_with(&samba, "Setup", samba::named("stranger"), PASSWORD).await;
    expect(&seen, Status::Fail, Code::SmbSigningRequired);
}

#[tokio::test]
async fn a_password_that_was_not_read_is_no_verdict_on_the_server() {
    let samba = Samba::start("");
    let seen = support::run(&ask(samba.port, Some("Setup"), Some(samba::account()))).await;
    expect(&seen, Status::Warn, Code::NeedsCredentials);
    let last = seen.evidence.steps.last().map(|step| (step.kind, step.error));
    assert_eq!(last, Some((StepKind::Request, Some(Failure::NeedsCredentials))));
}
