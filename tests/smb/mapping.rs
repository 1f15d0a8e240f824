//! Mapping shares with an account: real Samba servers of every kind, and peers that fail after negotiating.

use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Status, Who};
use bothways::model::secret::Account;
use bothways::wire::smb::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::hostile::{good_answer, stopped};
use super::samba::{self, PASSWORD, Samba};
use super::{LIMIT, ask, expect};
use crate::support::hostile::{Hostile, Manner};
use crate::support::{self, Seen};

async fn map(samba: &Samba, share: &str) -> Seen {
    map_with(samba, share, samba::account(), PASSWORD).await
}

async fn map_with(samba: &Samba, share: &str, account: Account, password: &str) -> Seen {
    let ask = ask(samba.port, Some(share), Some(account));
    support::run_within(&ask, &[(samba::source(), password)], LIMIT).await
}

#[tokio::test]
async fn a_server_on_ipv6_negotiates_and_gives_its_share() {
    let samba = Samba::start("");
    let mut ask = ask(samba.port, Some("Setup"), Some(samba::account()));
    "::1".clone_into(&mut ask.host);
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
    expect(&seen, Status::Warn, Code::SmbAccessDenied);
    assert_eq!(seen.evidence.text(Fact::Stage), Some("tree"));
    assert!(seen.judgement.sentence.contains("may not list"), "{}", seen.judgement.sentence);
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
async fn an_unknown_user_who_is_taken_for_a_guest_did_not_log_in() {
    let samba = Samba::start("map to guest = bad user");
    let seen = map_with(&samba, "Open", samba::named("stranger"), PASSWORD).await;
    expect(&seen, Status::Fail, Code::SmbLoginFailed);
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
#[tokio::test]
async fn a_server_that_goes_silent_after_negotiating_is_silent_during_the_login() {
    for account in [None, Some(samba::account())] {
        let hostile = Hostile::tcp(Manner::SayingThenSilent(good_answer())).await;
        let ask = ask(hostile.address.port(), Some("Setup"), account);
        let seen = support::run_within(&ask, &[(samba::source(), PASSWORD)], Duration::from_millis(1500)).await;
        expect(&seen, Status::Fail, Code::Silent);
        assert!(seen.judgement.sentence.contains("during the login"), "{}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_after_negotiating_ends_the_login_at_once() {
    let hostile = Hostile::tcp(Manner::Saying(good_answer())).await;
    let port = hostile.address.port();
    let limit = Duration::from_secs(20);
    let with = ask(port, Some("Setup"), Some(samba::account()));
    let seen = support::run_within(&with, &[(samba::source(), PASSWORD)], limit).await;
    expect(&seen, Status::Fail, Code::ClosedAfterConnect);
    let seen = support::run_within(&ask(port, Some("Setup"), None), &[], limit).await;
    expect(&seen, Status::Warn, Code::NeedsCredentials);
}

#[tokio::test]
async fn a_second_connection_that_is_refused_does_not_undo_the_first_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a visitor");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.expect("a request");
        drop(listener);
        stream.write_all(&good_answer()).await.expect("answered");
    });
    let ask = ask(port, Some("Setup"), Some(samba::account()));
    let seen = support::run_within(&ask, &[(samba::source(), PASSWORD)], Duration::from_secs(20)).await;
    server.await.expect("no panic");
    expect(&seen, Status::Warn, Code::Flaky);
    assert_eq!(stopped(&seen), Some((StepKind::Connect, Some(Failure::Refused))));
}

#[tokio::test]
async fn a_login_answered_with_something_else_is_not_blamed_on_the_network() {
    let answers = [good_answer(), frame::message(b"anything else than SMB")].concat();
    let hostile = Hostile::tcp(Manner::SayingThenSilent(answers)).await;
    let ask = ask(hostile.address.port(), Some("Setup"), Some(samba::account()));
    let seen = support::run_within(&ask, &[(samba::source(), PASSWORD)], LIMIT).await;
    expect(&seen, Status::Error, Code::ToolError);
    assert_eq!(stopped(&seen), Some((StepKind::Reply, Some(Failure::Malformed))));
}

#[tokio::test]
async fn a_folder_of_a_share_is_listed_where_the_profile_names_one() {
    let samba = Samba::start("");
    std::fs::create_dir(samba.path("files/images")).expect("a folder");
    std::fs::write(samba.path("files/images/boot.wim"), "").expect("a file");
    let seen = map(&samba, "Setup\\images").await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.number(Fact::Entries), Some(1));
}
