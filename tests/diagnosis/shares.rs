//! Conversations that show the rows of the table of file shares.

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::{Probe, Smb};
use bothways::model::secret::{Account, SecretSource};

use super::seen::Seen;

/// A share is asked for; with an account or without one.
fn share(with_account: bool) -> Seen {
    let password = SecretSource::Env("PASSWORD".to_owned());
    let account = Account { user: "svc".to_owned(), domain: None, password };
    let account = with_account.then_some(account);
    let settings = Smb { share: Some("Setup".to_owned()), account, full_packets: None, padding: None };
    Seen::of(Probe::Smb(settings), 445).accepted()
}

/// It came this far and was then refused with this status.
fn refused(stage: &str, status: &str) -> Seen {
    share(true).fact(Fact::Stage, stage).fact(Fact::NtStatus, status).fails(StepKind::Reply, Failure::Unexpected)
}

fn guest() -> Seen {
    share(true).fact(Fact::Stage, "negotiate").fact(Fact::Guest, true)
}

fn negotiated() -> Vec<(&'static str, Seen)> {
    let dialect = "SMB1 only, or none of the dialects from 2.0.2 on";
    let answered =
        "NEGOTIATE answered, and no share is named, or a responder answers; with an account, the share listed";
    let server = Seen::of(Probe::Smb(Smb::default()), 445).accepted();
    vec![
        (answered, server.fact(Fact::Stage, "negotiate")),
        (answered, share(false).fact(Fact::Stage, "negotiate").fact(Fact::Echoed, true)),
        (answered, share(true).fact(Fact::Stage, "list")),
        ("NEGOTIATE answered, a share is named and no account", share(false).fact(Fact::Stage, "session")),
        ("the share is mapped by a visitor without a user", share(false).fact(Fact::Stage, "tree")),
        (dialect, share(false).fact(Fact::Dialect, "1").fails(StepKind::Reply, Failure::Unexpected)),
        (dialect, share(false).fact(Fact::NtStatus, "0xC00000BB").fails(StepKind::Reply, Failure::Unexpected)),
    ]
}

fn refusals() -> Vec<(&'static str, Seen)> {
    let denied = "the share is denied, or no session at all is given to this address";
    vec![
        ("the login fails with a status about the account", refused("negotiate", "0xC000006D")),
        ("the login fails with a status about the account", refused("negotiate", "0xC0000072")),
        (
            "only guests are let in, while everything must be signed",
            guest().fact(Fact::Signing, "required").fails(StepKind::Reply, Failure::Unexpected),
        ),
        ("no such share", refused("session", "0xC00000CC")),
        (denied, refused("session", "0xC0000022")),
        (denied, share(false).fails(StepKind::Reply, Failure::Unexpected)),
        ("mapped, and not to be listed", refused("tree", "0xC0000022")),
    ]
}

#[test]
fn the_table_of_file_shares_is_what_the_judges_do() {
    let all = negotiated().into_iter().chain(refusals());
    let judged: Vec<(&str, Judgement)> = all.map(|(name, seen)| (name, seen.judged())).collect();
    super::assert_told("File shares", &judged, &["445 fails, and 139 answers"]);
}

#[test]
fn a_share_behind_netbios_alone_keeps_the_code_of_445() {
    let seen = Seen::of(Probe::Smb(Smb::default()), 445).fact(Fact::NetbiosAnswers, true);
    let judgement = seen.fails(StepKind::Connect, Failure::TimedOut).judged();
    assert_eq!(judgement.code, Code::Dropped);
    assert!(judgement.sentence.contains("139"), "{}", judgement.sentence);
}
