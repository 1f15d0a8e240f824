//! Our responder against curl and our probe.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::probe::Http;
use bothways::responder::{self, Certificate, Limits, Peers, Service, Shared};

use super::super::support::daemon;
use super::super::support::hostile::garbage;
use super::super::support::run;
use super::{http, path};

async fn responder(limits: Limits) -> (responder::Open, Arc<Shared>) {
    responder_of(limits, false).await
}

async fn responder_of(limits: Limits, https: bool) -> (responder::Open, Arc<Shared>) {
    let shared = Arc::new(Shared::within(
        limits,
        Peers::loopback(),
        Certificate::for_names(&["127.0.0.1".to_owned()]).expect("a certificate"),
    ));
    let service = Service::Http(responder::http::Service { https, ..Default::default() });
    let open = responder::open(service, "127.0.0.1:0".parse().expect("an address"), Arc::clone(&shared)).await;
    (open.expect("a free port"), shared)
}

fn curl(arguments: &[&str]) -> String {
    let out = Command::new(daemon::program("curl", "curl"))
        .args(["--silent", "--show-error", "--include", "--noproxy", "*", "--max-time", "10"])
        .args(arguments)
        .output()
        .expect("curl runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

async fn curled(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let work = move || curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(work).await.expect("curl's output")
}

#[tokio::test]
async fn the_responder_passes_the_probe_by_its_echo() {
    let (open, shared) = responder(Limits::default()).await;
    let ask = http(open.address.port(), Http { send_bytes: Some(3 << 20), ..path("/mmweb/inventory") });
    let seen = run(&ask).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.judgement.sentence.contains("responder"), "{}", seen.judgement.sentence);
    assert!(seen.evidence.holds(Fact::Echoed));
    let receipts = shared.receipts.all();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].token.as_deref(), Some(ask.token.as_str()));
    assert_eq!(receipts[0].asked.as_deref(), Some("POST /mmweb/inventory HTTP/1.1"));
    assert_eq!(seen.evidence.text(Fact::LocalAddress), Some(receipts[0].source.as_str()));
    assert_eq!(seen.evidence.number(Fact::SentBytes), Some(receipts[0].received_bytes));
}

#[tokio::test]
async fn the_responder_answers_curl_and_keeps_a_receipt_for_each_request() {
    let (open, shared) = responder(Limits::default()).await;
    let url = format!("http://{}/a", open.address);
    let page = curled(&[
        "--header",
        "x-bothways-token: 0123456789abcdef",
        "--data",
        "12345",
        &url,
        "--next",
        "--user",
        "u:secret",
        &url,
    ])
    .await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("x-bothways-token: 0123456789abcdef\r\n"), "{page}");
    assert!(page.contains("x-bothways-received: 5\r\n"), "{page}");
    assert!(page.contains("not the real service"), "{page}");
    let receipts = shared.receipts.all();
    assert_eq!(receipts.len(), 2);
    assert_eq!(receipts[0].asked.as_deref(), Some("POST /a HTTP/1.1"));
    assert_eq!(receipts[0].token.as_deref(), Some("0123456789abcdef"));
    assert_eq!((receipts[1].token.as_deref(), receipts[1].asked.as_deref()), (None, Some("GET /a HTTP/1.1")));
    assert!(receipts[1].headers.contains(&("authorization".to_owned(), "(not kept)".to_owned())));
    assert_eq!(receipts[0].source, receipts[1].source, "one connection carries both");
    assert!(receipts.iter().all(|receipt| receipt.received_bytes > 40 && receipt.sent_bytes > 40));
}

#[tokio::test]
async fn the_responder_gives_a_page_of_the_length_asked_for_but_no_longer_than_its_bound() {
    let (open, _shared) = responder(Limits::default()).await;
    let settings = Http { receive_bytes: Some(1_000_000), ..path("/?bytes=1000000") };
    let seen = run(&http(open.address.port(), settings)).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::BodyBytes), Some(1_000_000));
    let page = curled(&["--head", &format!("http://{}/?bytes=99999999", open.address)]).await;
    assert!(page.contains("content-length: 2097152\r\n"), "{page}");
}

#[tokio::test]
async fn the_responder_refuses_a_body_over_its_limit_with_413() {
    let (open, shared) = responder(Limits { request_bytes: 100_000, ..Limits::default() }).await;
    let seen = run(&http(open.address.port(), Http { send_bytes: Some(8 << 20), ..Http::default() })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
    assert_eq!(seen.evidence.number(Fact::Status), Some(413));
    assert_eq!(shared.receipts.all().len(), 1);
    // Without a length beforehand the body is counted while it comes.
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), vec![b'x'; 300_000]).expect("a file");
    let data = format!("@{}", file.path().display());
    let url = format!("http://{}/", open.address);
    let chunked = "Transfer-Encoding: chunked";
    let page = curled(&["--header", chunked, "--header", "Expect:", "--data-binary", &data, &url]).await;
    assert!(page.starts_with("HTTP/1.1 413 "), "{page}");
}

#[tokio::test]
async fn the_responder_closes_a_connection_on_which_nothing_moves() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (open, shared) = responder(Limits { idle: Duration::from_millis(100), ..Limits::default() }).await;
    for start in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12"] {
        let mut stream = tokio::net::TcpStream::connect(open.address).await.expect("a connection");
        stream.write_all(start.as_bytes()).await.expect("sent");
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "still open after {start:?}");
    }
    let asked = shared.receipts.all().into_iter().filter(|receipt| receipt.asked.is_some()).count();
    assert_eq!(asked, 1, "only the last one was a request");
}

#[tokio::test]
async fn a_connection_without_a_request_leaves_a_receipt_without_a_token() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for https in [false, true] {
        let (open, shared) = responder_of(Limits::default(), https).await;
        let mut stream = tokio::net::TcpStream::connect(open.address).await.expect("a connection");
        let source = stream.local_addr().expect("an address").to_string();
        stream.write_all(b"hello\r\n\r\n").await.expect("sent");
        stream.shutdown().await.expect("closed");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        // It is kept a moment after the connection has ended.
        let kept = tokio::time::timeout(Duration::from_secs(10), async {
            while shared.receipts.all().is_empty() {
                tokio::task::yield_now().await;
            }
        });
        assert!(kept.await.is_ok(), "no receipt");
        let receipt = &shared.receipts.all()[0];
        assert_eq!((receipt.token.as_deref(), receipt.asked.as_deref()), (None, None));
        assert_eq!((receipt.source.as_str(), receipt.received_bytes), (source.as_str(), 9));
        assert_eq!(receipt.presented.is_some(), https);
    }
}

#[tokio::test]
async fn the_responder_closes_a_connection_whose_answer_nobody_reads() {
    use tokio::io::AsyncWriteExt;
    // With one place only, the next one is answered when the first connection has ended.
    let limits = Limits { idle: Duration::from_millis(100), connections: 1, ..Limits::default() };
    let (open, shared) = responder(limits).await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut greedy = socket.connect(open.address).await.expect("a connection");
    let question = "GET /?bytes=2097152 HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20);
    greedy.write_all(question.as_bytes()).await.expect("sent");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !run(&http(open.address.port(), Http::default())).await.evidence.holds(Fact::Echoed) {
        assert!(Instant::now() < deadline, "the first connection still has the only place");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(shared.receipts.all().len() < 20, "everything was answered although nobody read");
}

#[tokio::test]
async fn the_responder_survives_garbage_and_answers_the_next() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (open, _shared) = responder(Limits::default()).await;
    let mut stream = tokio::net::TcpStream::connect(open.address).await.expect("a connection");
    stream.write_all(&garbage()).await.expect("sent");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let seen = run(&http(open.address.port(), Http::default())).await;
    assert!(seen.evidence.holds(Fact::Echoed));
}

#[tokio::test]
async fn the_responder_answers_curl_over_tls_and_names_its_certificate() {
    let (open, shared) = responder_of(Limits::default(), true).await;
    let page = curled(&["--insecure", &format!("https://{}/", open.address)]).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let receipts = shared.receipts.all();
    assert_eq!(receipts[0].presented.as_deref(), Some(shared.certificate.fingerprint.as_str()));
}

#[tokio::test]
async fn the_responder_passes_the_probe_over_tls_by_its_fingerprint() {
    let (open, shared) = responder_of(Limits::default(), true).await;
    let mut ask = http(open.address.port(), Http { https: Some(true), ..Http::default() });
    ask.tls.fingerprint = Some(shared.certificate.fingerprint.clone());
    let seen = run(&ask).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.evidence.holds(Fact::Echoed));
}
