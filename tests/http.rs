//! HTTP(S): our probe against nginx and hostile peers, our responder against curl and our probe.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status};
use bothways::model::probe::{Http, Method, Probe, StatusRange};
use bothways::responder::{self, Certificate, Limits, Peers, Receipts, Service, Shared};

use super::support::daemon::{self, Daemon, free_tcp_port};
use super::support::hostile::{Hostile, Manner, garbage};
use super::support::{Seen, ask, run, run_within};

const NGINX: &str = r#"
user root;
daemon off;
worker_processes 1;
pid FOLDER/pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    root FOLDER/html;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    client_max_body_size 100m;
    server {
        listen 127.0.0.1:PORT;
        location = / { return 200 "hello from nginx"; }
        location = /redirect-here { return 302 /elsewhere; }
        location = /redirect-away { return 302 http://portal.example/login; }
        location = /unauthorized { return 401; }
        location = /forbidden { return 403; }
        location = /broken { return 500; }
        location = /no-service { return 503; }
        location = /portal { return 511; }
        location = /take { return 200 "taken"; }
        location = /small { client_max_body_size 10k; return 200; }
        location = /slow { limit_rate_after 1k; limit_rate 1; try_files /large =404; }
    }
    server {
        listen 127.0.0.1:SECURE ssl;
        ssl_certificate FOLDER/cert.pem;
        ssl_certificate_key FOLDER/key.pem;
        location = / { return 200 "hello from nginx over TLS"; }
    }
}
"#;

struct Nginx {
    port: u16,
    secure: u16,
    daemon: Daemon,
}

fn nginx() -> Nginx {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, secure) = (free_tcp_port(), free_tcp_port());
    std::fs::create_dir(folder.path().join("html")).expect("a folder");
    std::fs::write(folder.path().join("html/large"), "0123456789abcdef".repeat(200_000)).expect("a file");
    certificate(folder.path());
    let text = NGINX
        .replace("FOLDER", folder.path().to_str().expect("UTF-8"))
        .replace("PORT", &port.to_string())
        .replace("SECURE", &secure.to_string());
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, text).expect("a file");
    let mut command = Command::new(daemon::program("nginx", "nginx-light"));
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
    let mut daemon = daemon::start(&mut command, folder);
    daemon.wait_for_tcp(port);
    Nginx { port, secure, daemon }
}

fn certificate(folder: &std::path::Path) {
    let made = Command::new(daemon::program("openssl", "openssl"))
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=nginx under test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn http(port: u16, settings: Http) -> Ask {
    ask(Probe::Http(settings), port)
}

fn path(path: &str) -> Http {
    Http { path: Some(path.to_owned()), ..Http::default() }
}

fn range(first: u16, last: u16) -> Vec<StatusRange> {
    vec![StatusRange { first, last }]
}

fn failed_step(seen: &Seen) -> (StepKind, Option<Failure>) {
    let step = seen.evidence.stopped_at().expect("a failed step");
    (step.kind, step.error)
}

async fn responder(limits: Limits) -> (responder::Open, Arc<Shared>) {
    responder_of(limits, false).await
}

async fn responder_of(limits: Limits, https: bool) -> (responder::Open, Arc<Shared>) {
    let shared = Arc::new(Shared {
        peers: Peers::loopback(),
        limits,
        receipts: Receipts::new(Instant::now()),
        certificate: Certificate::for_names(&["127.0.0.1".to_owned()]).expect("a certificate"),
    });
    let service = Service::Http(responder::http::Service { https });
    let open = responder::open(service, "127.0.0.1:0".parse().expect("an address"), Arc::clone(&shared)).await;
    (open.expect("a free port"), shared)
}

// --- against nginx ---

#[tokio::test]
async fn a_page_of_nginx_passes_with_its_facts() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { contains: Some("from nginx".to_owned()), ..Http::default() })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert_eq!(seen.judgement.code, Code::Ok);
    assert_eq!(seen.evidence.number(Fact::Status), Some(200));
    assert_eq!(seen.evidence.text(Fact::Banner), Some("hello from nginx"));
    assert!(seen.evidence.text(Fact::Server).is_some_and(|name| name.starts_with("nginx/")));
    assert!(seen.evidence.holds(Fact::StatusExpected) && seen.evidence.holds(Fact::BodyMatches));
    assert!(!seen.evidence.holds(Fact::Echoed));
    assert!(seen.evidence.fact(Fact::FirstByteMs).is_some() && seen.evidence.fact(Fact::TotalMs).is_some());
    let kinds: Vec<StepKind> = seen.evidence.steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Connect, StepKind::Request, StepKind::Reply]);
}

#[tokio::test]
async fn statuses_of_the_service_itself_prove_the_path() {
    let nginx = nginx();
    for (page, status) in [("/unauthorized", 401), ("/forbidden", 403), ("/missing", 404), ("/broken", 500)] {
        let seen = run(&http(nginx.port, path(page))).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{page}: {}", seen.judgement.sentence);
        assert!(seen.judgement.sentence.contains(&status.to_string()), "{}", seen.judgement.sentence);
        assert_eq!(seen.evidence.number(Fact::Status), Some(status));
    }
}

#[tokio::test]
async fn a_503_is_a_web_server_without_its_service() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, path("/no-service"))).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::HttpStatus));
    assert!(seen.judgement.sentence.contains("the service behind it does not (503)"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_511_is_a_portal_on_the_way() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, path("/portal"))).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpRedirected));
}

#[tokio::test]
async fn an_explicit_list_of_statuses_is_obeyed_both_ways() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { status: range(200, 299), ..path("/missing") })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpStatus));
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
    let seen = run(&http(nginx.port, Http { status: range(503, 503), ..path("/no-service") })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    let seen = run(&http(nginx.port, Http { status: range(302, 302), ..path("/redirect-away") })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_redirect_on_the_same_host_passes_and_is_named() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, path("/redirect-here"))).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.judgement.sentence.contains("/elsewhere"), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::Status), Some(302));
}

#[tokio::test]
async fn a_redirect_to_another_host_warns_of_a_portal() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, path("/redirect-away"))).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::HttpRedirected));
    assert!(seen.judgement.sentence.contains("portal.example"), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.text(Fact::Location), Some("http://portal.example/login"));
}

#[tokio::test]
async fn a_large_upload_is_taken_whole() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { send_bytes: Some(5 << 20), ..path("/take") })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::RequestBodyWanted), Some(5 << 20));
    assert_eq!(seen.evidence.number(Fact::RequestBodyBytes), Some(5 << 20));
}

#[tokio::test]
async fn an_upload_over_the_servers_limit_is_seen_as_its_413() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { send_bytes: Some(8 << 20), ..path("/small") })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
    assert_eq!(seen.evidence.number(Fact::Status), Some(413));
    assert_eq!(seen.evidence.number(Fact::RequestBodyWanted), Some(8 << 20));
}

#[tokio::test]
async fn a_large_download_is_counted() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { receive_bytes: Some(3_200_000), ..path("/large") })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::BodyBytes), Some(3_200_000));
    let seen = run(&http(nginx.port, Http { receive_bytes: Some(3_200_001), ..path("/large") })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
}

#[tokio::test]
async fn a_download_that_creeps_is_stalled_in_the_reply() {
    let nginx = nginx();
    let ask = http(nginx.port, Http { receive_bytes: Some(1_000_000), ..path("/slow") });
    let seen = run_within(&ask, &[], Duration::from_millis(700)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpStalled));
    assert_eq!(failed_step(&seen), (StepKind::Reply, Some(Failure::TimedOut)));
    assert_eq!(seen.judgement.lost, Some(Lost::Reply));
    assert!(seen.evidence.number(Fact::BodyBytes).is_some_and(|bytes| bytes < 1_000_000));
}

#[tokio::test]
async fn a_page_without_the_expected_text_is_altered() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { contains: Some("Miradore".to_owned()), ..Http::default() })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpAltered));
    assert!(seen.judgement.sentence.contains("hello from nginx"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_text_is_found_anywhere_in_a_large_page() {
    let nginx = nginx();
    std::fs::write(nginx.daemon.path("html/needle"), "x".repeat(2_000_003) + "the needle" + &"y".repeat(50))
        .expect("a file");
    let seen = run(&http(nginx.port, Http { contains: Some("the needle".to_owned()), ..path("/needle") })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, Http { method: Some(Method::Head), ..path("/large") })).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::BodyBytes), Some(0));
}

#[tokio::test]
async fn https_is_spoken_to_nginx_with_its_own_certificate() {
    let nginx = nginx();
    let mut ask = http(nginx.secure, Http { https: Some(true), ..Http::default() });
    ask.tls.ca = Some(nginx.daemon.path("cert.pem"));
    let seen = run(&ask).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.text(Fact::Banner), Some("hello from nginx over TLS"));
    assert!(seen.evidence.passed(StepKind::Tls));
}

#[tokio::test]
async fn plain_http_to_a_tls_port_passes_only_with_a_word_on_https() {
    let nginx = nginx();
    let seen = run(&http(nginx.secure, Http::default())).await;
    assert_eq!(seen.evidence.number(Fact::Status), Some(400));
    assert!(seen.judgement.sentence.contains("HTTPS"), "{}", seen.judgement.sentence);
}

// --- against hostile peers ---

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
async fn an_endless_head_is_another_service() {
    let seen = hostile(Manner::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: and more\r\n".to_vec())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::WrongService));
}

#[tokio::test]
async fn an_endless_body_is_read_only_so_far() {
    let seen = hostile(Manner::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 4096])).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.evidence.number(Fact::BodyBytes).is_some_and(|bytes| bytes < 1 << 20));
}

#[tokio::test]
async fn a_body_that_is_cut_off_warns_and_fails_where_it_was_asked_for() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nonly this".to_vec();
    let seen = hostile(Manner::Saying(cut.clone())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::HttpSizeLimited));
    let peer = Hostile::tcp(Manner::Saying(cut)).await;
    let seen = run(&http(peer.address.port(), Http { receive_bytes: Some(5000), ..Http::default() })).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpSizeLimited));
    assert_eq!(seen.evidence.number(Fact::BodyBytes), Some(9));
    assert_eq!(failed_step(&seen), (StepKind::Reply, Some(Failure::Closed)));
}

#[tokio::test]
async fn broken_chunks_are_an_altered_body() {
    let seen = hostile(Manner::Saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::HttpAltered));
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
    let port = super::support::hostile::closed_port().await;
    let seen = run(&http(port, Http::default())).await;
    assert_eq!(failed_step(&seen), (StepKind::Connect, Some(Failure::Refused)));
}

// --- our responder ---

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
    assert_eq!(shared.receipts.all().len(), 1, "only the last one was a request");
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
