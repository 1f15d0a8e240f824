//! The probe against peers that are no SQL Server, or a broken one.

use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::wire::tds::prelogin::{Encryption, Prelogin};
use bothways::wire::tds::{Kind, packets};

use super::{VERSION, any, prelogin};
use crate::support::hostile::{Hostile, Manner, closed_port, garbage};
use crate::support::{run, run_within};

const SOON: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_silent_server_is_silent() {
    let peer = Hostile::tcp(Manner::Silent).await;
    let seen = run_within(&any(peer.address.port()), &[], SOON).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent));
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_closed_after_connect() {
    let peer = Hostile::tcp(Manner::Closing).await;
    let seen = run(&any(peer.address.port())).await;
    // Where the question is under way before the end of the connection, the system answers it with a reset.
    let known = [Code::ClosedAfterConnect, Code::ResetAfterConnect, Code::ResetOnPayload];
    assert!(known.contains(&seen.judgement.code), "{:?}", seen.judgement);
}

#[tokio::test]
async fn a_server_that_reads_and_closes_is_closed_after_connect() {
    let peer = Hostile::tcp(Manner::Saying(Vec::new())).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ClosedAfterConnect));
}

#[tokio::test]
async fn a_server_that_resets_at_once_is_a_reset() {
    let peer = Hostile::tcp(Manner::Resetting).await;
    let seen = run(&any(peer.address.port())).await;
    // Whether the reset is here before the question is sent is a matter of microseconds.
    assert!(matches!(seen.judgement.code, Code::ResetAfterConnect | Code::ResetOnPayload), "{:?}", seen.judgement);
}

#[tokio::test]
async fn a_server_that_resets_on_the_first_bytes_is_reset_on_payload() {
    let peer = Hostile::tcp(Manner::ResettingOnPayload).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ResetOnPayload));
}

#[tokio::test]
async fn an_http_server_on_the_port_is_not_tds_and_is_quoted() {
    let peer = Hostile::tcp(Manner::Saying(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlNotTds));
    assert!(seen.judgement.sentence.contains("HTTP/1.1 400"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_tls_server_of_another_kind_is_said_to_be_one() {
    let peer = Hostile::tcp(Manner::Saying(vec![0x15, 3, 3, 0, 2, 2, 50])).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlNotTds));
    assert!(seen.judgement.sentence.contains("speaks TLS"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn garbage_and_answers_that_prove_nothing_are_not_tds() {
    let no_version = packets(Kind::Reply, &Prelogin::default().with(1, [0]).encode());
    let options_outside = packets(Kind::Reply, &[0, 0, 200, 0, 6, 0xff]);
    let login_kind = packets(Kind::Login7, &Prelogin::default().answer(VERSION, Encryption::Off, true).encode());
    let shorter_than_itself = vec![4, 1, 0, 3, 0, 0, 0, 0];
    for bytes in [garbage(), no_version, options_outside, login_kind, shorter_than_itself] {
        let peer = Hostile::tcp(Manner::SayingThenSilent(bytes)).await;
        let seen = run(&any(peer.address.port())).await;
        assert_eq!(
            (seen.judgement.status, seen.judgement.code),
            (Status::Fail, Code::SqlNotTds),
            "{:?}",
            seen.evidence
        );
    }
}

#[tokio::test]
async fn half_an_answer_proves_nothing() {
    let mut half = prelogin(Encryption::Off, true);
    half.truncate(half.len() / 2);
    let closing = Hostile::tcp(Manner::Saying(half.clone())).await;
    assert_eq!(run(&any(closing.address.port())).await.judgement.code, Code::ClosedAfterConnect);
    let waiting = Hostile::tcp(Manner::SayingThenSilent(half)).await;
    let seen = run_within(&any(waiting.address.port()), &[], SOON).await;
    assert_eq!(seen.judgement.code, Code::Silent);
    assert!(seen.judgement.sentence.contains("did not finish"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_dripping_answer_runs_into_the_deadline() {
    let peer = Hostile::tcp(Manner::Dripping(prelogin(Encryption::Off, true))).await;
    let seen = run_within(&any(peer.address.port()), &[], SOON).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_and_not_tds() {
    let packet = [4, 0, 0x10, 0, 0, 0, 1, 0].into_iter().chain([0; 4088]).collect();
    let peer = Hostile::tcp(Manner::Endless(Vec::new(), packet)).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlNotTds));
    let received = seen.evidence.number(Fact::ReceivedBytes).expect("counted");
    assert!(received < 200_000, "read {received} bytes");
}

#[tokio::test]
async fn tls_inside_packets_that_never_answers_is_no_pass() {
    let peer = Hostile::tcp(Manner::SayingThenSilent(prelogin(Encryption::On, true))).await;
    let seen = run_within(&any(peer.address.port()), &[], SOON).await;
    let stopped = seen.evidence.stopped_at().expect("a failed step");
    assert_eq!((stopped.kind, stopped.error), (StepKind::Tls, Some(Failure::TimedOut)));
    assert_ne!(seen.judgement.status, Status::Pass);
}

#[tokio::test]
async fn a_server_without_encryption_passes_where_none_is_wanted() {
    let peer = Hostile::tcp(Manner::SayingThenSilent(prelogin(Encryption::NotSupported, true))).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok));
    assert!(seen.judgement.sentence.contains("SQL Server 2019"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_closed_port_stops_at_the_connection() {
    let seen = run(&any(closed_port().await)).await;
    let stopped = seen.evidence.stopped_at().expect("a failed step");
    assert_eq!((stopped.kind, stopped.error), (StepKind::Connect, Some(Failure::Refused)));
}
