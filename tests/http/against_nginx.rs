//! Our probe against nginx.

use std::process::Command;
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status};
use bothways::model::probe::{Http, Method, StatusRange};

use super::super::support::daemon::{self, Daemon, free_tcp_port};
use super::super::support::{run, run_within};
use super::{failed_step, http, path};

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

fn range(first: u16, last: u16) -> Vec<StatusRange> {
    vec![StatusRange { first, last }]
}

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
async fn a_redirect_to_another_host_is_no_answer_of_the_service() {
    let nginx = nginx();
    let seen = run(&http(nginx.port, path("/redirect-away"))).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::HttpRedirected));
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
async fn plain_http_to_a_tls_port_is_no_success() {
    let nginx = nginx();
    let seen = run(&http(nginx.secure, Http::default())).await;
    assert_eq!(seen.evidence.number(Fact::Status), Some(400));
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::HttpStatus));
    assert!(seen.judgement.sentence.contains("HTTPS"), "{}", seen.judgement.sentence);
}
