//! Second questions to TLS servers: the same hello with other server names, and what time it is for the server.

use std::sync::Arc;
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status, Who};
use bothways::model::run::Outcome;
use jiff::{Timestamp, ToSpan};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::authority::{Authority, Issued, When};
use super::server::nginx;
use crate::engine::{outcome, plan_of, run, written};
use crate::support::hostile::{Hostile, Manner};

const NAME: &str = "mdm.test";

/// A job query to an HTTPS server on this port, called by the name.
async fn job_query(port: u16, name: &str, folder: &tempfile::TempDir) -> Outcome {
    let yaml = format!(
        "extends: miradore\nsettings: {{ timeout: 3s }}\nendpoints:\n  \
         server: {{ host: 127.0.0.1, port: {port}, https: true, tls: {{ name: {name}, ca: '{}' }} }}\n",
        folder.path().join("ca.pem").display()
    );
    let run = run(&plan_of(&written(&yaml), &["client"], &["job-query"])).await;
    outcome(&run, "job-query").clone()
}

/// What a device does with the hellos that it does not let through.
#[derive(Clone, Copy)]
enum Then {
    Drop,
    Reset,
    Close,
}

/// A device that looks into hellos, in front of a server on this machine; it passes on those that `lets_through`.
async fn device(server: u16, lets_through: fn(&str) -> bool, then: Then) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(inspect(client, server, lets_through, then));
        }
    });
    (port, task)
}

async fn inspect(mut client: TcpStream, server: u16, lets_through: fn(&str) -> bool, then: Then) {
    let mut hello = vec![0; 4096];
    let length = client.read(&mut hello).await.unwrap_or(0);
    hello.truncate(length);
    let is_tls = hello.first() == Some(&22);
    if is_tls && !lets_through(&String::from_utf8_lossy(&hello)) {
        match then {
            Then::Drop => std::future::pending().await,
            Then::Reset => socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap(),
            Then::Close => {}
        }
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    server.write_all(&hello).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// A server's certificate, with its authority's file in the folder.
fn issued(when: When) -> (Issued, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    root.file(folder.path());
    (root.issue(&[NAME], when), folder)
}

#[tokio::test]
async fn a_name_that_is_filtered_is_found_by_asking_with_others() {
    let (issued, folder) = issued(When::Now);
    let (_nginx, server) = nginx(&issued, "");
    let denies: fn(&str) -> bool = |hello| !hello.contains(NAME);
    for (then, code) in [(Then::Drop, Code::TlsDropped), (Then::Reset, Code::TlsReset), (Then::Close, Code::TlsReset)] {
        let (port, task) = device(server, denies, then).await;
        let seen = job_query(port, NAME, &folder).await;
        task.abort();
        assert_eq!((seen.status, seen.code, seen.confidence), (Status::Fail, code, Confidence::Proven), "{seen:#?}");
        assert!(seen.sentence.contains("because of the server name in it, `mdm.test`"), "{}", seen.sentence);
        let remedy = seen.remedy.expect("a remedy");
        assert_eq!(remedy.who, Who::Network);
        assert!(remedy.text.contains("`mdm.test`"), "{remedy:?}");
    }
}

#[tokio::test]
async fn a_device_that_lets_only_some_names_through_is_told_from_one_that_lets_no_tls_through() {
    let (issued, folder) = issued(When::Now);
    let (_nginx, server) = nginx(&issued, "");
    let nameless: fn(&str) -> bool = |hello| !hello.contains(".test") && !hello.contains(".com");
    let (port, _task) = device(server, nameless, Then::Reset).await;
    let seen = job_query(port, NAME, &folder).await;
    assert_eq!((seen.code, seen.confidence), (Code::TlsReset, Confidence::Likely), "{seen:#?}");
    assert!(seen.sentence.contains("without a server name"), "{}", seen.sentence);
    let (port, _task) = device(server, |_| false, Then::Drop).await;
    let seen = job_query(port, NAME, &folder).await;
    assert_eq!((seen.code, seen.confidence), (Code::TlsDropped, Confidence::Likely), "{seen:#?}");
    assert!(seen.sentence.contains("whatever server name it has"), "{}", seen.sentence);
}

#[tokio::test]
async fn an_address_without_a_name_is_not_said_to_be_filtered_by_one() {
    let (issued, folder) = issued(When::Now);
    let (_nginx, server) = nginx(&issued, "");
    let (port, _task) = device(server, |hello| hello.contains(".com"), Then::Drop).await;
    let seen = job_query(port, "127.0.0.1", &folder).await;
    assert_eq!((seen.code, seen.confidence), (Code::TlsDropped, Confidence::Likely), "{seen:#?}");
    assert!(seen.sentence.contains("because it has no server name"), "{}", seen.sentence);
}

#[tokio::test]
async fn a_web_server_without_tls_that_waits_for_a_request_line_is_no_filter() {
    let (_, folder) = issued(When::Now);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0)
                {
                }
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            });
        }
    });
    let seen = job_query(port, NAME, &folder).await;
    server.abort();
    assert_eq!((seen.status, seen.code), (Status::Fail, Code::TlsNotSpoken), "{seen:#?}");
    assert!(seen.sentence.contains("HTTP/1.1 204 No Content"), "{}", seen.sentence);
}

#[tokio::test]
async fn a_silent_peer_stays_undecided_between_the_way_and_the_service() {
    let (_, folder) = issued(When::Now);
    let peer = Hostile::tcp(Manner::Silent).await;
    let seen = job_query(peer.address.port(), NAME, &folder).await;
    assert_eq!((seen.code, seen.confidence), (Code::TlsDropped, Confidence::Likely), "{seen:#?}");
    assert!(seen.sentence.contains("whatever server name"), "{}", seen.sentence);
}

/// An HTTPS server whose clock is wrong by so many hours.
async fn server_ahead(issued: &Issued, hours: i64) -> (u16, JoinHandle<()>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from(issued.der.clone())];
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(stream).await else { continue };
            let _ = tls.read(&mut [0; 1024]).await;
            let time = Timestamp::now() + hours.hours();
            let date = time.strftime("%a, %d %b %Y %H:%M:%S GMT");
            let _ = tls.write_all(format!("HTTP/1.1 200 OK\r\nDate: {date}\r\n\r\n").as_bytes()).await;
            let _ = tls.shutdown().await;
        }
    });
    (port, task)
}

#[tokio::test]
async fn a_certificate_that_only_this_machines_clock_refuses_is_a_matter_of_the_clock() {
    for (when, hours, code, words) in [
        (When::Future, 5 * 24, Code::TlsNotYetValid, "5 days behind that of 127.0.0.1"),
        (When::Past, -5 * 24, Code::TlsExpired, "5 days ahead of that of 127.0.0.1"),
    ] {
        let (issued, folder) = issued(when);
        let (port, task) = server_ahead(&issued, hours).await;
        let seen = job_query(port, NAME, &folder).await;
        task.abort();
        assert_eq!((seen.status, seen.code, seen.confidence), (Status::Fail, code, Confidence::Likely), "{seen:#?}");
        assert!(seen.sentence.contains(words), "{}", seen.sentence);
        assert_eq!(seen.remedy.expect("a remedy").who, Who::ThisHost);
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_dates_by_both_clocks_is_a_matter_of_the_certificate() {
    for (when, code) in [(When::Past, Code::TlsExpired), (When::Future, Code::TlsNotYetValid)] {
        let (issued, folder) = issued(when);
        let (_nginx, port) = nginx(&issued, "");
        let seen = job_query(port, NAME, &folder).await;
        assert_eq!((seen.code, seen.confidence), (code, Confidence::Proven), "{seen:#?}");
        assert!(seen.sentence.contains("agrees with the server's"), "{}", seen.sentence);
        assert_eq!(seen.remedy.expect("a remedy").who, Who::TargetHost);
        assert!(seen.facts.contains_key(Fact::ClockAhead.word()));
    }
}
