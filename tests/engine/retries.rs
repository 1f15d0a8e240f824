//! What is tried again, and what is made of a second attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::model::run::Run;
use bothways::responder::{self, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{ANYWHERE, miradore, outcome, plan_of, respond, run, set};
use crate::support::hostile::closed_port;

/// A web server that resets the first requests on their first bytes; with the number of requests so far.
async fn moody(resets: u32) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut first = [0; 4096];
            let _ = stream.read(&mut first).await;
            // What looks for the reason in between says something else.
            let asked = first.starts_with(b"GET ");
            let number = if asked { counted.fetch_add(1, Ordering::SeqCst) } else { 0 };
            if number < resets {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
            } else {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi").await;
            }
        }
    });
    (port, connections)
}

async fn job_query(port: u16, more: &[String], attempts: u32) -> Run {
    let mut profile = miradore(&[&[set("server.host", "127.0.0.1"), set("server.port", port)], more].concat());
    profile.settings.attempts = attempts;
    profile.settings.timeout = bothways::model::span::Span::seconds(5);
    run(&plan_of(&profile, &["client"], &["job-query"])).await
}

#[tokio::test]
async fn what_works_only_the_second_time_is_flaky() {
    let (port, connections) = moody(1).await;
    let run = job_query(port, &[], 2).await;
    let flaky = outcome(&run, "job-query");
    assert_eq!((flaky.status, flaky.code, flaky.attempts), (Status::Warn, Code::Flaky, 2), "{}", flaky.sentence);
    assert!(flaky.sentence.starts_with("Worked in 1 of 2 attempts, the last one. Before: "), "{}", flaky.sentence);
    assert!(flaky.sentence.contains("reset") && flaky.remedy.is_some());
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    assert_eq!(run.status, Status::Warn);
    assert_eq!(run.findings.len(), 1);
}

#[tokio::test]
async fn what_never_works_fails_after_its_attempts() {
    let (port, connections) = moody(u32::MAX).await;
    let run = job_query(port, &[], 3).await;
    let reset = outcome(&run, "job-query");
    assert_eq!((reset.status, reset.code, reset.attempts), (Status::Fail, Code::ResetOnPayload, 3));
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn one_attempt_is_one_attempt() {
    let run = job_query(closed_port().await, &[], 1).await;
    assert_eq!((outcome(&run, "job-query").code, outcome(&run, "job-query").attempts), (Code::Refused, 1));
}

#[tokio::test]
async fn what_is_no_chance_is_not_tried_again() {
    let secure = respond(Service::Http(responder::http::Service { https: true, control: None }), ANYWHERE).await;
    let run = job_query(secure.address.port(), &[set("server.https", true)], 3).await;
    let untrusted = outcome(&run, "job-query");
    assert_eq!((untrusted.status, untrusted.code, untrusted.attempts), (Status::Fail, Code::TlsUntrusted, 1));
}
