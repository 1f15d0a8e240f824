//! Peers that are no file servers, or bad ones.

use std::process::Command;
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::wire::smb::header::{self, Header, command};
use bothways::wire::smb::negotiate::{self, dialect};
use bothways::wire::smb::{Guid, frame, smb1, status};

use super::{ask, expect, samba};
use crate::support::hostile::{Hostile, Manner, closed_port, garbage};
use crate::support::{self, Seen, daemon};

async fn meet(manner: Manner) -> Seen {
    let hostile = Hostile::tcp(manner).await;
    support::run_within(&ask(hostile.address.port(), None, None), &[], Duration::from_millis(700)).await
}

/// What ended the conversation.
pub fn stopped(seen: &Seen) -> Option<(StepKind, Option<Failure>)> {
    seen.evidence.stopped_at().map(|step| (step.kind, step.error))
}

fn answer(status: u32) -> Header {
    Header::request(command::NEGOTIATE, 0, 0).answer(status)
}

fn choice(dialect: u16) -> negotiate::Response {
    negotiate::Response {
        security_mode: negotiate::SIGNING_ENABLED,
        dialect,
        server: Guid([7; 16]),
        capabilities: 0,
        max_transact: 65536,
        max_read: 65536,
        max_write: 65536,
        system_time: 0,
        token: Vec::new(),
        contexts: Vec::new(),
    }
}

pub fn good_answer() -> Vec<u8> {
    frame::message(&choice(dialect::SMB_2_1).encode(&answer(status::SUCCESS)))
}

#[tokio::test]
async fn a_closed_port_stops_at_the_connection() {
    let seen = support::run(&ask(closed_port().await, None, None)).await;
    assert_eq!(stopped(&seen), Some((StepKind::Connect, Some(Failure::Refused))));
    assert_eq!(seen.evidence.fact(Fact::NetbiosAnswers), None, "139 belongs to 445 only");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_silent() {
    let seen = meet(Manner::Silent).await;
    expect(&seen, Status::Fail, Code::Silent);
    assert!(seen.judgement.sentence.contains("never answered"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_a_close_or_a_reset() {
    // A close with unread bytes is a reset on the wire: which one it is depends on what arrived first.
    let seen = meet(Manner::Closing).await;
    assert_eq!(seen.judgement.status, Status::Fail, "{:?}", seen.judgement);
    assert!(matches!(seen.judgement.code, Code::ClosedAfterConnect | Code::ResetOnPayload), "{:?}", seen.judgement);
}

#[tokio::test]
async fn a_server_that_reads_and_closes_closed_after_the_connection() {
    let seen = meet(Manner::Saying(Vec::new())).await;
    expect(&seen, Status::Fail, Code::ClosedAfterConnect);
}

#[tokio::test]
async fn a_server_that_resets_at_once_is_a_reset() {
    let seen = meet(Manner::Resetting).await;
    assert_eq!(seen.judgement.status, Status::Fail, "{:?}", seen.judgement);
    assert!(matches!(seen.judgement.code, Code::ResetAfterConnect | Code::ResetOnPayload), "{:?}", seen.judgement);
}

#[tokio::test]
async fn a_server_that_resets_on_the_first_bytes_is_reset_on_payload() {
    let seen = meet(Manner::ResettingOnPayload).await;
    expect(&seen, Status::Fail, Code::ResetOnPayload);
}

#[tokio::test]
async fn garbage_is_another_service() {
    let seen = meet(Manner::Saying(garbage())).await;
    expect(&seen, Status::Fail, Code::WrongService);
    assert!(seen.evidence.text(Fact::Banner).is_some());
}

#[tokio::test]
async fn text_is_another_service_and_shown() {
    for text in ["SSH-2.0-OpenSSH_9.2\r\n", "No", "220 files.example ESMTP\r\n"] {
        let seen = meet(Manner::Saying(text.as_bytes().to_vec())).await;
        expect(&seen, Status::Fail, Code::WrongService);
        assert_eq!(seen.evidence.text(Fact::Banner), Some(&*text.escape_default().to_string()));
    }
}

#[tokio::test]
async fn an_http_server_is_another_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = daemon::free_tcp_port();
    let root = folder.path().display();
    let configuration = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/error;
         events {{}} http {{ access_log off; client_body_temp_path {root}/b; proxy_temp_path {root}/p;
         fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
         server {{ listen 127.0.0.1:{port}; }} }}"
    );
    std::fs::write(folder.path().join("conf"), configuration).expect("a configuration");
    let mut command = Command::new(daemon::program("nginx", "nginx-light"));
    command.arg("-e").arg(folder.path().join("error")).arg("-c").arg(folder.path().join("conf"));
    let mut nginx = daemon::start(&mut command, folder);
    nginx.wait_for_tcp(port);
    let seen = support::run(&ask(port, Some("Setup"), Some(samba::account()))).await;
    expect(&seen, Status::Fail, Code::WrongService);
    let banner = seen.evidence.text(Fact::Banner).unwrap_or_default();
    assert!(banner.starts_with("HTTP/1.1 400"), "{banner}");
}

#[tokio::test]
async fn half_an_answer_and_an_end_is_a_closed_connection() {
    let mut half = good_answer();
    half.truncate(60);
    let seen = meet(Manner::Saying(half)).await;
    expect(&seen, Status::Fail, Code::ClosedAfterConnect);
    assert_eq!(seen.evidence.stopped_at().and_then(|step| step.note.as_deref()), Some("after 60 bytes of an answer"));
}

#[tokio::test]
async fn half_an_answer_and_then_nothing_is_silence_after_a_beginning() {
    let mut half = good_answer();
    half.truncate(60);
    let seen = meet(Manner::SayingThenSilent(half)).await;
    expect(&seen, Status::Fail, Code::Silent);
    assert!(seen.judgement.sentence.contains("60 bytes"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn an_answer_that_drips_in_is_silence_after_a_beginning() {
    let seen = meet(Manner::Dripping(good_answer())).await;
    expect(&seen, Status::Fail, Code::Silent);
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let seen = meet(Manner::Endless(vec![0, 0xFF, 0xFF, 0xFF], garbage())).await;
    expect(&seen, Status::Fail, Code::WrongService);
    assert!(seen.evidence.number(Fact::ReceivedBytes) < Some(100_000), "{:?}", seen.evidence.facts);
}

#[tokio::test]
async fn endless_keep_alives_are_silence() {
    let seen = meet(Manner::Endless(Vec::new(), vec![0x85, 0, 0, 0])).await;
    expect(&seen, Status::Fail, Code::Silent);
}

#[tokio::test]
async fn a_good_answer_is_a_pass_and_an_extra_byte_does_not_matter() {
    let seen = meet(Manner::SayingThenSilent([good_answer(), vec![1]].concat())).await;
    expect(&seen, Status::Pass, Code::Ok);
    assert_eq!(seen.evidence.text(Fact::Dialect), Some("2.1"));
    assert_eq!(seen.evidence.text(Fact::SmbEncryption), Some("not offered"));
}

#[tokio::test]
async fn an_answer_to_another_question_proves_nothing() {
    let head = Header { message_id: 5, ..answer(status::SUCCESS) };
    let seen = meet(Manner::Saying(frame::message(&choice(dialect::SMB_2_1).encode(&head)))).await;
    expect(&seen, Status::Fail, Code::WrongService);
}

#[tokio::test]
async fn a_peer_that_repeats_the_request_proves_nothing() {
    let request = Header { flags: 0, ..answer(status::SUCCESS) };
    let seen = meet(Manner::SayingThenSilent(frame::message(&choice(dialect::SMB_2_1).encode(&request)))).await;
    expect(&seen, Status::Fail, Code::Silent);
}

#[tokio::test]
async fn a_refusal_of_all_dialects_is_a_matter_of_dialects() {
    let seen = meet(Manner::Saying(frame::message(&header::refusal(&answer(status::NOT_SUPPORTED))))).await;
    expect(&seen, Status::Fail, Code::SmbDialect);
    assert_eq!(seen.evidence.text(Fact::NtStatus), Some("0xC00000BB"));
}

#[tokio::test]
async fn another_refusal_to_negotiate_is_told_with_its_status() {
    let status = status::INSUFFICIENT_RESOURCES;
    let seen = meet(Manner::Saying(frame::message(&header::refusal(&answer(status))))).await;
    expect(&seen, Status::Fail, Code::SmbAccessDenied);
    assert!(seen.judgement.sentence.contains("STATUS_INSUFFICIENT_RESOURCES"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_that_answers_in_smb1_speaks_only_smb1() {
    let seen = meet(Manner::Saying(frame::message(&smb1::response(0)))).await;
    expect(&seen, Status::Fail, Code::SmbDialect);
}

/// The first connection is answered; the port is closed by the time of the second.
#[tokio::test]
async fn a_login_answered_with_garbage_is_not_blamed_on_the_network() {
    let answers = [good_answer(), frame::message(&garbage())].concat();
    let hostile = Hostile::tcp(Manner::SayingThenSilent(answers)).await;
    let ask = ask(hostile.address.port(), Some("Setup"), None);
    let seen = support::run_within(&ask, &[], Duration::from_millis(700)).await;
    expect(&seen, Status::Warn, Code::NeedsCredentials);
}

#[tokio::test]
async fn a_file_server_that_serves_other_addresses_only_is_no_other_service() {
    let samba = samba::Samba::start("hosts deny = ALL");
    let seen = support::run(&ask(samba.port, None, None)).await;
    expect(&seen, Status::Fail, Code::SmbAccessDenied);
    assert!(seen.judgement.sentence.contains("refuses every session"), "{}", seen.judgement.sentence);
}
