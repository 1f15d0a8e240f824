//! The responder's certificate, as independent clients and this program's own see it.

use std::net::SocketAddr;
use std::process::Output;

use bothways::model::ask::TlsExpectation;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::responder::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::server::{converse, https};
use crate::support::daemon::program;

const NAMES: [&str; 4] = ["127.0.0.1", "[::1]", "localhost", "server.test"];

fn certificate() -> Certificate {
    Certificate::for_names(&NAMES.map(str::to_owned)).unwrap()
}

/// Answers every connection to `at` with one page over TLS.
async fn serve(certificate: &Certificate, at: &str) -> (SocketAddr, JoinHandle<()>) {
    let acceptor = certificate.acceptor(&[b"http/1.1"]);
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let _ = tls.read(&mut [0; 4096]).await;
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello").await;
                let _ = tls.shutdown().await;
            });
        }
    });
    (address, task)
}

async fn curl(arguments: Vec<String>) -> Output {
    let path = program("curl", "curl");
    let run = move || std::process::Command::new(path).args(["-q", "-sS", "--noproxy", "*"]).args(arguments).output();
    tokio::task::spawn_blocking(run).await.unwrap().unwrap()
}

#[tokio::test]
async fn curl_accepts_it_by_name_and_by_either_address() {
    let certificate = certificate();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("responder.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let (v4, first) = serve(&certificate, "127.0.0.1:0").await;
    let (v6, second) = serve(&certificate, "[::1]:0").await;
    for version in ["--tlsv1.3", "--tls-max=1.2"] {
        for url in [format!("https://{v4}"), format!("https://{v6}"), format!("https://server.test:{}", v4.port())] {
            let resolve = format!("server.test:{}:127.0.0.1", v4.port());
            let file = file.display().to_string();
            let version: Vec<&str> = version.split('=').collect();
            let mut arguments = vec!["--cacert".to_owned(), file, "--resolve".to_owned(), resolve, url.clone()];
            arguments.extend(version.iter().map(|part| (*part).to_owned()));
            let output = curl(arguments).await;
            assert_eq!(output.stdout, b"hello", "{url}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    first.abort();
    second.abort();
}

#[tokio::test]
async fn curl_refuses_it_where_nobody_told_it_to_trust() {
    let (address, task) = serve(&certificate(), "127.0.0.1:0").await;
    let output = curl(vec![format!("https://{address}")]).await;
    task.abort();
    assert_eq!(output.status.code(), Some(60), "the peer certificate cannot be authenticated");
}

#[tokio::test]
async fn this_programs_probes_accept_it_by_fingerprint_and_by_file() {
    let certificate = certificate();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("responder.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let (address, task) = serve(&certificate, "127.0.0.1:0").await;
    let by_fingerprint =
        TlsExpectation { fingerprint: Some(certificate.fingerprint.clone()), ..TlsExpectation::default() };
    let by_file = TlsExpectation { ca: Some(file), ..TlsExpectation::default() };
    for tls in [by_fingerprint, by_file] {
        let seen = converse(&https(address.port(), tls)).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
        assert_eq!(seen.evidence.text(Fact::TlsFingerprint), Some(certificate.fingerprint.as_str()));
        let chain = seen.evidence.fact(Fact::TlsChain).unwrap();
        assert_eq!(chain[0]["subject"], "CN=bothways responder");
        assert_eq!(chain[0]["names"], serde_json::json!(["127.0.0.1", "::1", "localhost", "server.test"]));
        assert!(matches!(seen.evidence.number(Fact::TlsDaysLeft), Some(364 | 365)));
    }
    task.abort();
}

#[test]
fn its_key_stays_out_of_every_record() {
    let certificate = certificate();
    let shown = format!("{certificate:?}");
    assert_eq!(shown, format!("Certificate {{ fingerprint: \"{}\", .. }}", certificate.fingerprint));
    assert!(!certificate.pem().contains("PRIVATE KEY"));
}

#[test]
fn a_name_that_no_certificate_can_carry_is_an_error() {
    let error = Certificate::for_names(&["größe.test".to_owned()]).unwrap_err();
    assert!(error.contains("größe.test"), "{error}");
}
