//! Our probe against peers that misbehave.

use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Lost, Status};
use bothways::model::probe::Http;

use super::super::support::hostile::{Hostile, Manner, closed_port, garbage};
use super::super::support::{Seen, run, run_within};
use super::{failed_step, http};

async fn hostile(manner: Manner) -> Seen {
    let peer = Hostile::tcp(manner).await;
    run_within(&http(peer.address.port(), Http::default()), &[], Duration::from_millis(500)).await
}

#[tokio::test]
async fn a_silent_server_is_silent() {
    let seen = hostile(Manner::Silent).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent));
    assert_eq!(failed_step(&seen), (StepKind::Reply, Some(Failure::TimedOut)));
}

#[tokio::test]
async fn a_server_that_closes_without_an_answer_is_closed_after_connect() {
    let seen = hostile(Manner::Saying(Vec::new())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ClosedAfterConnect));
    assert_eq!(failed_step(&seen), (StepKind::Reply, Some(Failure::Closed)));
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_closed_or_reset_as_the_request_crosses_its_end() {
    let seen = hostile(Manner::Closing).await;
    assert_eq!(seen.judgement.status, Status::Fail);
    assert!(matches!(seen.judgement.code, Code::ClosedAfterConnect | Code::ResetOnPayload), "{}", seen.judgement.code);
}

#[tokio::test]
async fn a_server_that_resets_on_the_first_bytes_is_reset_on_payload() {
    let seen = hostile(Manner::ResettingOnPayload).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ResetOnPayload));
}

#[tokio::test]
async fn a_server_that_resets_at_once_is_a_reset_of_either_kind() {
    let seen = hostile(Manner::Resetting).await;
    assert_eq!(seen.judgement.status, Status::Fail);
    assert!(matches!(seen.judgement.code, Code::ResetAfterConnect | Code::ResetOnPayload), "{}", seen.judgement.code);
    assert_eq!(seen.evidence.stopped_at().and_then(|step| step.error), Some(Failure::Reset));
}

#[tokio::test]
async fn garbage_is_another_service() {
    let seen = hostile(Manner::Saying(garbage())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::WrongService));
    assert!(seen.evidence.text(Fact::Banner).is_some_and(str::is_ascii));
}

#[tokio::test]
async fn a_server_that_speaks_first_in_another_protocol_is_another_service() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    let seen = run(&http(port, Http::default())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::WrongService));
    assert!(seen.judgement.sentence.contains("SSH-2.0"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_tls_alert_on_a_plain_question_names_tls() {
    let seen = hostile(Manner::Saying(vec![0x15, 0x03, 0x03, 0, 2, 2, 0x46])).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::WrongService));
    assert!(seen.judgement.sentence.contains("speaks TLS"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn half_a_head_and_then_silence_is_stalled() {
    let seen = hostile(Manner::SayingThenSilent(b"HTTP/1.1 200 OK\r\nServer: x".to_vec())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpStalled));
    let seen = hostile(Manner::Dripping(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpStalled));
}

#[tokio::test]
async fn half_a_head_and_then_the_end_is_closed() {
    let seen = hostile(Manner::Saying(b"HTTP/1.1 200 OK\r\nServer: x".to_vec())).await;
    assert_eq!(
        (seen.judgement.status, seen.judgement.code),
        (Status::Fail, Code::ClosedAfterConnect),
        "{:?}",
        seen.evidence.steps
    );
}

#[tokio::test]
async fn an_endless_head_is_http_that_something_garbles() {
    let seen = hostile(Manner::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: and more\r\n".to_vec())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpAltered));
}

#[tokio::test]
async fn an_endless_body_is_read_only_so_far() {
    let seen = hostile(Manner::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 4096])).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.evidence.number(Fact::BodyBytes).is_some_and(|bytes| bytes < 1 << 20));
}

#[tokio::test]
async fn a_body_that_is_cut_off_fails() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nonly this".to_vec();
    let seen = hostile(Manner::Saying(cut.clone())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
    let peer = Hostile::tcp(Manner::Saying(cut)).await;
    let seen = run(&http(peer.address.port(), Http { receive_bytes: Some(5000), ..Http::default() })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
    assert_eq!(seen.evidence.number(Fact::BodyBytes), Some(9));
    assert_eq!(failed_step(&seen), (StepKind::Reply, Some(Failure::Closed)));
}

#[tokio::test]
async fn broken_chunks_are_an_altered_body() {
    let seen = hostile(Manner::Saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpAltered));
    assert_eq!(failed_step(&seen), (StepKind::Reply, Some(Failure::Malformed)));
}

#[tokio::test]
async fn a_413_before_the_whole_upload_is_an_answer_and_not_a_reset() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
            // Closed with unread bytes: the system resets the connection.
        }
    });
    for _ in 0..20 {
        let seen = run(&http(port, Http { send_bytes: Some(16 << 20), ..Http::default() })).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
        assert_eq!(seen.evidence.number(Fact::Status), Some(413));
        let sent = seen.evidence.number(Fact::RequestBodyBytes).expect("a count");
        assert!(sent < 16 << 20, "{sent}");
    }
}

#[tokio::test]
async fn an_upload_that_is_reset_is_a_size_limit() {
    let peer = Hostile::tcp(Manner::ResettingOnPayload).await;
    let seen = run(&http(peer.address.port(), Http { send_bytes: Some(16 << 20), ..Http::default() })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
    assert_eq!(failed_step(&seen), (StepKind::Request, Some(Failure::Reset)));
}

#[tokio::test]
async fn an_upload_that_nobody_takes_is_stalled_in_the_request() {
    let peer = Hostile::tcp(Manner::Silent).await;
    let ask = http(peer.address.port(), Http { send_bytes: Some(32 << 20), ..Http::default() });
    let seen = run_within(&ask, &[], Duration::from_millis(700)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpStalled));
    assert_eq!(failed_step(&seen), (StepKind::Request, Some(Failure::TimedOut)));
    assert_eq!(seen.judgement.lost, Some(Lost::Request));
    assert!(seen.evidence.number(Fact::RequestBodyBytes).is_some_and(|sent| 0 < sent && sent < 32 << 20));
}

#[tokio::test]
async fn a_closed_port_stops_in_connect() {
    let port = closed_port().await;
    let seen = run(&http(port, Http::default())).await;
    assert_eq!(failed_step(&seen), (StepKind::Connect, Some(Failure::Refused)));
}
