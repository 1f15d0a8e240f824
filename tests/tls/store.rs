//! The platform's trust store, as this process finds it.

use std::net::SocketAddr;
use std::process::Command;

use bothways::model::ask::TlsExpectation;
use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::net::tls::{PlatformOpinion, platform_opinion};
use tokio::net::TcpStream;

use super::authority::{Authority, When};
use super::server::{converse, https, nginx};

/// Set for the second run of the test below, which is the one that asks.
const PORT: &str = "BOTHWAYS_TEST_STORE_PORT";

/// The store is read once per process and `SSL_CERT_FILE` can't be changed in one: the test runs itself again with it.
#[tokio::test]
async fn both_libraries_find_the_store_that_ssl_cert_file_names() {
    if let Ok(port) = std::env::var(PORT) {
        return asked_in_the_second_run(port.parse().unwrap()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Store Root");
    let (_daemon, port) = nginx(&root.issue(&["127.0.0.1"], When::Now), "");
    let run = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "tls::store::both_libraries_find_the_store_that_ssl_cert_file_names", "--nocapture"])
            .env_remove("SSL_CERT_DIR")
            .env(PORT, port.to_string());
        command
    };
    let knowing = run().env("SSL_CERT_FILE", root.file(folder.path())).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(knowing.status.success(), "{}{}", text(&knowing.stdout), text(&knowing.stderr));
    assert!(text(&knowing.stdout).contains("1 passed"), "{}", text(&knowing.stdout));
    let not_knowing = run().env_remove("SSL_CERT_FILE").output().unwrap();
    assert!(!not_knowing.status.success(), "without it, nobody knows this authority");
}

/// The same for a store in which the authority has expired.
#[tokio::test]
async fn an_expired_authority_of_the_platforms_store_vouches_for_nothing() {
    if let Ok(port) = std::env::var(PORT) {
        let seen = converse(&https(port.parse().unwrap(), TlsExpectation::default())).await;
        assert_eq!(seen.judgement.code, Code::TlsExpired, "{:?}", seen.judgement);
        assert!(seen.judgement.sentence.contains("CN=Store Root"), "{}", seen.judgement.sentence);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root_of("Store Root", When::Past);
    let (_daemon, port) = nginx(&root.issue(&["127.0.0.1"], When::Now), "");
    let second = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::store::an_expired_authority_of_the_platforms_store_vouches_for_nothing", "--nocapture"])
        .env_remove("SSL_CERT_DIR")
        .env(PORT, port.to_string())
        .env("SSL_CERT_FILE", root.file(folder.path()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&second.stdout);
    assert!(second.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&second.stderr));
}

async fn asked_in_the_second_run(port: u16) {
    let seen = converse(&https(port, TlsExpectation::default())).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("platform"));
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    let opinion = platform_opinion(Box::new(stream), "127.0.0.1", &TlsExpectation::default()).await;
    let fingerprint = seen.evidence.text(Fact::TlsFingerprint).unwrap().to_owned();
    assert_eq!(opinion, PlatformOpinion::Trusted { fingerprint });
}
