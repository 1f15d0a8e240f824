//! Peers that do not behave like TLS servers.

use std::sync::Arc;
use std::time::Duration;

use bothways::model::ask::TlsExpectation;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

use super::authority::self_signed;
use super::server::{converse, https};
use crate::support::hostile::{Hostile, Manner, garbage};
use crate::support::{Seen, run_within};

/// The start of a TLS 1.2 `ServerHello`: a record of 90 bytes is announced, a part of it comes.
const HALF_A_SERVER_HELLO: &[u8] = &[22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8];

async fn meet(manner: Manner) -> Seen {
    let hostile = Hostile::tcp(manner).await;
    converse(&https(hostile.address.port(), TlsExpectation::default())).await
}

async fn meet_within(manner: Manner, limit: Duration) -> Seen {
    let hostile = Hostile::tcp(manner).await;
    run_within(&https(hostile.address.port(), TlsExpectation::default()), &[], limit).await
}

fn ended(seen: &Seen) -> (StepKind, Failure, Code) {
    let step = seen.evidence.stopped_at().expect("a step that failed");
    (step.kind, step.error.expect("its failure"), seen.judgement.code)
}

#[tokio::test]
async fn a_silent_peer_drops_the_handshake() {
    let seen = meet_within(Manner::Silent, Duration::from_millis(300)).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TimedOut, Code::TlsDropped));
    assert!(seen.judgement.sentence.contains("nothing at all"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_peer_that_closes_or_resets_cuts_the_handshake() {
    for manner in [Manner::Closing, Manner::Resetting, Manner::ResettingOnPayload, Manner::Saying(Vec::new())] {
        let seen = meet(manner.clone()).await;
        let (kind, failure, code) = ended(&seen);
        assert_eq!((kind, code), (StepKind::Tls, Code::TlsReset), "{manner:?}");
        assert!(matches!(failure, Failure::Reset | Failure::Closed), "{manner:?}: {failure:?}");
    }
}

#[tokio::test]
async fn a_reset_on_the_hello_is_a_reset() {
    let seen = meet(Manner::ResettingOnPayload).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::Reset, Code::TlsReset));
}

#[tokio::test]
async fn garbage_is_no_tls() {
    let seen = meet(Manner::Saying(garbage())).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::NotTls, Code::TlsNotSpoken));
}

#[tokio::test]
async fn another_protocols_greeting_is_shown() {
    let seen = meet(Manner::Saying(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::NotTls, Code::TlsNotSpoken));
    assert!(seen.judgement.sentence.contains("SSH-2.0-OpenSSH_9.2"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn half_a_server_hello_then_silence_is_told_apart_from_silence() {
    let manner = Manner::SayingThenSilent(HALF_A_SERVER_HELLO.to_vec());
    let seen = meet_within(manner, Duration::from_millis(800)).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TimedOut, Code::TlsDropped));
    assert!(seen.judgement.sentence.contains("began to answer"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn half_a_server_hello_then_the_end_is_a_cut() {
    let seen = meet(Manner::Saying(HALF_A_SERVER_HELLO.to_vec())).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::Closed, Code::TlsReset));
}

#[tokio::test]
async fn one_byte_a_second_hangs_in_the_handshake() {
    let seen = meet_within(Manner::Dripping(HALF_A_SERVER_HELLO.to_vec()), Duration::from_millis(300)).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TimedOut, Code::TlsDropped));
}

#[tokio::test]
async fn endless_answers_end() {
    let seen = meet(Manner::Endless(b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), vec![b'x'; 4096])).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::NotTls, Code::TlsNotSpoken));
    // Warnings without end: well-formed records that lead nowhere.
    let warning = [21, 3, 3, 0, 2, 1, 112].repeat(100);
    let seen = meet(Manner::Endless(warning.clone(), warning)).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::Malformed, Code::TlsNotSpoken));
}

#[tokio::test]
async fn a_record_that_announces_too_much_breaks_the_protocol() {
    let seen = meet(Manner::SayingThenSilent(vec![22, 3, 3, 0xff, 0xff, 2, 0, 0, 0])).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::Malformed, Code::TlsNotSpoken));
}

#[tokio::test]
async fn an_old_server_hello_is_a_matter_of_versions() {
    // TLS 1.1 with an RSA key exchange, as servers answer that know no supported_versions extension.
    let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    let seen = meet(Manner::SayingThenSilent(hello)).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TlsVersion, Code::TlsVersion));
}

#[tokio::test]
async fn an_alert_of_the_far_side_is_named() {
    let seen = meet(Manner::Saying(vec![21, 3, 3, 0, 2, 2, 80])).await;
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TlsAlert, Code::TlsReset));
    assert_eq!(seen.evidence.text(Fact::TlsAlert), Some("internal_error"));
}

/// A server that holds one handshake and ignores every other connection.
async fn holding_one_handshake() -> (u16, tokio::task::JoinHandle<()>) {
    let issued = self_signed(&["127.0.0.1"], false);
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(issued.der)], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _held = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        let _ignored = listener.accept().await;
        std::future::pending::<()>().await;
    });
    (port, task)
}

#[tokio::test]
async fn a_deadline_during_the_second_opinion_does_not_lose_the_verdict() {
    let (port, task) = holding_one_handshake().await;
    let seen = run_within(&https(port, TlsExpectation::default()), &[], Duration::from_millis(1500)).await;
    task.abort();
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TlsUntrusted, Code::TlsUntrusted));
    assert_eq!(seen.judgement.status, Status::Fail);
}

#[tokio::test]
async fn a_reset_after_a_request_for_a_client_certificate_in_tls_1_3_is_its_refusal() {
    // Accepts the handshake without a word on the missing certificate, then resets, as some servers do.
    let issued = self_signed(&["127.0.0.1"], false);
    let hex = issued.fingerprint();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(issued.der.clone())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![CertificateDer::from(issued.der)],
            PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.send_tls13_tickets = 0;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        socket2::SockRef::from(tls.get_ref().0).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let seen = converse(&https(port, TlsExpectation { fingerprint: Some(hex), ..TlsExpectation::default() })).await;
    server.await.unwrap();
    assert_eq!(ended(&seen), (StepKind::Tls, Failure::TlsClientCertificate, Code::TlsClientCertificate));
}
