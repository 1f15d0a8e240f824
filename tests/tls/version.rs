//! Versions, ciphers, names and client certificates that servers insist on.

use bothways::diagnose::judge::{self, Case};
use bothways::model::ask::TlsExpectation;
use bothways::model::code::Code;
use bothways::model::evidence::{Evidence, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status};
use bothways::model::probe::{Http, Probe, StatusRange};

use super::authority::{Authority, Issued, When};
use super::server::{converse, https, nginx, nginx_plain, s_server};
use crate::support::{Seen, flow};

/// A trusted certificate for 127.0.0.1, and what trusts it.
struct Trusted {
    issued: Issued,
    tls: TlsExpectation,
    folder: tempfile::TempDir,
}

fn trusted() -> Trusted {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let tls = TlsExpectation { ca: Some(root.file(folder.path())), ..TlsExpectation::default() };
    Trusted { issued: root.issue(&["127.0.0.1"], When::Now), tls, folder }
}

async fn with_nginx(more: &str) -> Seen {
    let Trusted { issued, tls, folder } = trusted();
    let (_daemon, port) = nginx(&issued, &more.replace("CA", &folder.path().join("ca.pem").display().to_string()));
    converse(&https(port, tls)).await
}

async fn with_s_server(arguments: &[&str]) -> Seen {
    let Trusted { issued, tls, folder: _folder } = trusted();
    let (_daemon, port) = s_server(&issued, arguments);
    converse(&https(port, tls)).await
}

#[tokio::test]
async fn a_server_of_one_version_is_spoken_to_in_that() {
    for (setting, version) in [("TLSv1.2", "TLS 1.2"), ("TLSv1.3", "TLS 1.3")] {
        let seen = with_nginx(&format!("ssl_protocols {setting};")).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
        assert_eq!(seen.evidence.text(Fact::TlsVersion), Some(version));
    }
}

#[tokio::test]
async fn openssl_s_server_is_spoken_to_without_a_second_connection() {
    let seen = with_s_server(&[]).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    assert!(seen.evidence.text(Fact::TlsCipher).unwrap().starts_with("TLS13_"));
    assert!(seen.evidence.fact(Fact::TlsPlatform).is_none());
}

#[tokio::test]
async fn a_server_of_old_versions_only_is_told_so() {
    for version in ["-tls1", "-tls1_1"] {
        let seen = with_s_server(&[version, "-cipher", "DEFAULT@SECLEVEL=0"]).await;
        assert_eq!((seen.judgement.code, seen.judgement.status), (Code::TlsVersion, Status::Fail));
        assert_eq!(seen.judgement.confidence, Confidence::Proven, "{}", seen.judgement.sentence);
        assert_eq!(seen.evidence.text(Fact::TlsAlert), Some("protocol_version"));
        assert!(seen.evidence.text(Fact::TlsPlatform).unwrap().starts_with("refused: "));
    }
}

#[tokio::test]
async fn old_ciphers_that_the_platforms_library_still_speaks_are_a_warning() {
    let seen = with_s_server(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"]).await;
    assert_eq!((seen.judgement.code, seen.judgement.status), (Code::TlsVersion, Status::Warn));
    assert_eq!(seen.evidence.text(Fact::TlsPlatform), Some("trusted"));
}

#[tokio::test]
async fn a_server_that_has_no_certificate_for_the_name_is_told_so() {
    let seen = with_nginx("ssl_reject_handshake on;").await;
    assert_eq!(seen.judgement.code, Code::TlsNameMismatch, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.text(Fact::TlsAlert), Some("unrecognized_name"));
}

#[tokio::test]
async fn plain_http_is_no_tls() {
    let (_daemon, port) = nginx_plain();
    let seen = converse(&https(port, TlsExpectation::default())).await;
    assert_eq!((seen.judgement.code, seen.judgement.confidence), (Code::TlsNotSpoken, Confidence::Proven));
    assert_eq!(seen.evidence.text(Fact::Banner), Some("HTTP/1.1 400 Bad Request"));
    assert!(seen.judgement.remedy.unwrap().text.contains("https: false"));
}

#[tokio::test]
async fn a_client_certificate_that_is_required_is_missed_in_either_version() {
    let cases =
        [("-tls1_3", "certificate_required", Confidence::Proven), ("-tls1_2", "handshake_failure", Confidence::Likely)];
    for (version, alert, confidence) in cases {
        let seen = with_s_server(&[version, "-Verify", "1"]).await;
        assert_eq!(seen.judgement.code, Code::TlsClientCertificate, "{version}: {:?}", seen.evidence);
        assert_eq!(seen.evidence.text(Fact::TlsAlert), Some(alert));
        assert_eq!(seen.judgement.confidence, confidence);
        assert!(seen.evidence.holds(Fact::TlsClientCertificate));
    }
}

#[tokio::test]
async fn a_client_certificate_that_is_only_asked_for_is_no_hindrance() {
    for arguments in [["-tls1_3", "-verify", "1"], ["-tls1_2", "-verify", "1"]] {
        let seen = with_s_server(&arguments).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
        assert!(seen.evidence.holds(Fact::TlsClientCertificate));
    }
    let without_tickets = with_s_server(&["-tls1_3", "-verify", "1", "-num_tickets", "0"]).await;
    assert_eq!(without_tickets.judgement.status, Status::Pass, "{:?}", without_tickets.judgement);
}

#[tokio::test]
async fn nginx_that_requires_a_client_certificate_completes_the_handshake_and_refuses_the_request() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let seen =
            with_nginx(&format!("ssl_protocols {version}; ssl_verify_client on; ssl_client_certificate CA;")).await;
        let judged = (seen.judgement.status, seen.judgement.code, seen.judgement.confidence);
        assert_eq!(judged, (Status::Fail, Code::TlsClientCertificate, Confidence::Likely), "{:?}", seen.judgement);
        assert!(seen.evidence.passed(StepKind::Tls));
        assert_eq!(seen.evidence.number(Fact::Status), Some(400));
        assert!(seen.evidence.holds(Fact::TlsClientCertificate));
    }
}

#[tokio::test]
async fn nginx_that_would_only_like_a_client_certificate_answers_without() {
    let seen = with_nginx("ssl_verify_client optional; ssl_client_certificate CA;").await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    assert!(seen.evidence.holds(Fact::TlsClientCertificate));
    assert!(!with_nginx("").await.evidence.holds(Fact::TlsClientCertificate));
}

/// What is said of an answer with this status, where a client certificate had been asked for or not.
fn judged(status: u16, asked: bool, accepted: Vec<StatusRange>) -> Code {
    let mut evidence = Evidence::default();
    evidence.facts.insert(Fact::Status.word().to_owned(), status.into());
    evidence.facts.insert(Fact::TlsClientCertificate.word().to_owned(), asked.into());
    let mut ask = https(443, TlsExpectation::default());
    ask.probe = Probe::Http(Http { https: Some(true), status: accepted, ..Http::default() });
    judge::judge(&Case { flow: &flow(&ask), ask: &ask, address: None, evidence: &evidence }).code
}

#[test]
fn a_status_that_refuses_after_a_certificate_was_asked_for_is_about_the_certificate() {
    assert_eq!(judged(400, true, Vec::new()), Code::TlsClientCertificate);
    assert_eq!(judged(403, true, Vec::new()), Code::TlsClientCertificate);
    assert_ne!(judged(200, true, Vec::new()), Code::TlsClientCertificate);
    assert_ne!(judged(400, false, Vec::new()), Code::TlsClientCertificate);
    assert_ne!(judged(400, true, vec![StatusRange { first: 400, last: 400 }]), Code::TlsClientCertificate);
}
