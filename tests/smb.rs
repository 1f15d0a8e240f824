//! SMB: real Samba servers, hostile peers, and the responder.

mod hostile;
#[cfg(feature = "smb")]
mod mapping;
#[cfg(feature = "smb")]
mod picky;
mod responder;
mod samba;
mod verdicts;

use std::time::Duration;

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::probe::{Probe, Smb};
use bothways::model::secret::Account;

use crate::support::{self, Seen};
use samba::Samba;

/// Debug builds hash and encrypt slowly, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(20);

fn ask(port: u16, share: Option<&str>, account: Option<Account>) -> Ask {
    support::ask(Probe::Smb(Smb { share: share.map(str::to_owned), account, ..Smb::default() }), port)
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

#[cfg(not(feature = "smb"))]
#[tokio::test]
async fn a_build_without_the_feature_says_so_after_negotiating() {
    let samba = Samba::start("");
    let seen = support::run(&ask(samba.port, Some("Setup"), Some(samba::account()))).await;
    expect(&seen, Status::Warn, Code::NeedsCredentials);
    assert_eq!(seen.evidence.text(Fact::MissingFeature), Some("smb"));
    assert_eq!(seen.evidence.text(Fact::Dialect), Some("3.1.1"));
}
