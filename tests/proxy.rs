//! HTTP proxies: our probe through squid in all its moods, and through hostile ones.

mod against_hostile;
pub mod squid;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::ask::{Ask, Proxy, ProxyAuth, ProxyOrigin, Route};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status};
use bothways::model::probe::{Http, Probe};
use bothways::model::secret::{Account, SecretSource};
use bothways::net::Net;
use bothways::net::channel::{self, Security, Tunnel};
use bothways::net::resolve::Resolver;
use bothways::net::trace::Trace;
use bothways::responder::{self, Certificate, Peers, Service, Shared};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::hostile::{Hostile, Manner, closed_port};
use super::support::{Seen, ask, run_within};
#[cfg(feature = "smb")]
use squid::NTLM;
use squid::{BASIC, DIGEST, squid};

const LIMIT: Duration = Duration::from_secs(8);

async fn target() -> (responder::Open, Arc<Shared>) {
    target_of(false).await
}

async fn target_of(https: bool) -> (responder::Open, Arc<Shared>) {
    let shared = Arc::new(Shared::new(
        Peers::loopback(),
        Certificate::for_names(&["127.0.0.1".to_owned()]).expect("a certificate"),
    ));
    let service = Service::Http(responder::http::Service { https, ..Default::default() });
    let open = responder::open(service, "127.0.0.1:0".parse().expect("an address"), Arc::clone(&shared)).await;
    (open.expect("a free port"), shared)
}

fn secret() -> SecretSource {
    SecretSource::Env("PROXY_PASSWORD".to_owned())
}

fn through(port: u16, auth: ProxyAuth, user: Option<&str>, target: u16, settings: Http) -> Ask {
    let mut ask = ask(Probe::Http(settings), target);
    ask.route = Route::Proxy(Proxy {
        host: "127.0.0.1".to_owned(),
        port,
        auth,
        account: user.map(|user| Account { user: user.to_owned(), domain: None, password: secret() }),
        origin: ProxyOrigin::Profile,
    });
    ask
}

fn plain(port: u16, target: u16) -> Ask {
    through(port, ProxyAuth::None, None, target, Http::default())
}

fn https() -> Http {
    Http { https: Some(true), ..Http::default() }
}

async fn run_with(ask: &Ask, password: &str) -> Seen {
    run_within(ask, &[(secret(), password)], LIMIT).await
}

async fn run(ask: &Ask) -> Seen {
    run_with(ask, "secret").await
}

/// Opens a tunnel, and asks the responder behind it one question.
async fn tunnelled(
    ask: &Ask,
    password: &str,
) -> (Vec<(StepKind, Option<Failure>)>, String, bothways::model::evidence::Evidence) {
    let net = Net::new(Resolver::default(), [(secret(), password.into())].into());
    let trace = Trace::new(Instant::now());
    let (host, port) = ask.first_hop();
    let address = format!("{host}:{port}").parse().expect("an address");
    let opening = channel::open(ask, address, Security::Plain, Tunnel::Always, &net, &trace);
    let mut page = String::new();
    if let Ok(Ok(mut stream)) = tokio::time::timeout(LIMIT, opening).await {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("sent");
        stream.read_to_string(&mut page).await.expect("a page");
    }
    let evidence = trace.finish(Failure::TimedOut);
    (evidence.steps.iter().map(|step| (step.kind, step.error)).collect(), page, evidence)
}

// --- through squid, plain HTTP ---

#[tokio::test]
async fn a_plain_request_through_squid_reaches_the_responder() {
    let (port, _squid) = squid("");
    let (open, shared) = target().await;
    let ask = plain(port, open.address.port());
    let seen = run(&ask).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.evidence.holds(Fact::Echoed));
    assert!(seen.evidence.text(Fact::Via).is_some_and(|via| via.contains("squid-under-test")));
    assert_eq!(seen.evidence.text(Fact::Proxy), Some(format!("127.0.0.1:{port}").as_str()));
    let receipts = shared.receipts.all();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].token.as_deref(), Some(ask.token.as_str()));
}

#[tokio::test]
async fn every_way_of_authentication_lets_a_plain_upload_through_once() {
    for (lines, auth) in [(BASIC, ProxyAuth::Basic), (DIGEST, ProxyAuth::Digest)] {
        plain_upload(lines, auth, "user").await;
    }
}

#[cfg(feature = "smb")]
#[tokio::test]
async fn ntlm_lets_a_plain_upload_through_once() {
    plain_upload(NTLM, ProxyAuth::Ntlm, "CORP\\user").await;
}

async fn plain_upload(lines: &str, auth: ProxyAuth, user: &str) {
    let (port, _squid) = squid(lines);
    let (open, shared) = target().await;
    let settings = Http { send_bytes: Some(1 << 20), ..Http::default() };
    let seen = run(&through(port, auth, Some(user), open.address.port(), settings)).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{auth:?}: {} {:?}", seen.judgement.sentence, seen.evidence);
    assert!(seen.evidence.holds(Fact::Echoed));
    assert_eq!(seen.evidence.text(Fact::ProxyAuth), Some(auth.word()));
    assert_eq!(seen.evidence.number(Fact::RequestBodyBytes), Some(1 << 20));
    let receipts = shared.receipts.all();
    assert_eq!(receipts.len(), 1, "{auth:?}");
    assert!(receipts[0].headers.iter().all(|(name, _)| name != "proxy-authorization"), "{auth:?}");
    let record = format!("{:?}", seen.evidence);
    assert!(!record.contains("secret") && !record.contains("dXNlcjpzZWNyZXQ"), "{auth:?}: {record}");
}

#[tokio::test]
async fn a_proxy_that_wants_an_account_and_gets_none_says_its_schemes() {
    let (port, _squid) = squid(BASIC);
    let (open, shared) = target().await;
    let seen = run(&plain(port, open.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyAuthRequired));
    assert_eq!(seen.evidence.fact(Fact::ProxySchemes), Some(&serde_json::json!(["basic"])));
    assert!(seen.judgement.sentence.contains("basic"), "{}", seen.judgement.sentence);
    assert!(shared.receipts.all().is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_an_authentication_that_failed() {
    for (lines, auth) in [(BASIC, ProxyAuth::Basic), (DIGEST, ProxyAuth::Digest)] {
        let (port, _squid) = squid(lines);
        for settings in [Http::default(), https()] {
            let seen = run_with(&through(port, auth, Some("user"), 443, settings), "wrong").await;
            assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyAuthFailed), "{auth:?}");
            assert_eq!(seen.evidence.number(Fact::ProxyStatus), Some(407));
        }
    }
}

#[tokio::test]
async fn an_account_in_the_wrong_scheme_names_the_right_one() {
    let (port, _squid) = squid(BASIC);
    for settings in [Http::default(), https()] {
        let seen = run(&through(port, ProxyAuth::Digest, Some("user"), 443, settings)).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyAuthRequired));
        assert!(seen.judgement.sentence.contains("wants basic"), "{}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn a_scheme_that_is_offered_without_a_usable_challenge_is_the_proxys_own_trouble() {
    let answer = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=\"r\"\r\nContent-Length: 0\r\n\r\n".to_vec();
    let peer = Hostile::tcp(Manner::Saying(answer)).await;
    let seen = run(&through(peer.address.port(), ProxyAuth::Digest, Some("user"), 443, https())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyAuthFailed));
    assert!(seen.judgement.sentence.contains("its own authentication"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_destination_that_the_rules_forbid_is_denied() {
    let (port, _squid) = squid("acl there dst 127.0.0.1\nhttp_access deny there");
    let (open, shared) = target().await;
    let seen = run(&plain(port, open.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyDenied));
    assert!(seen.evidence.text(Fact::ProxyError).is_some_and(|words| words.contains("ERR_ACCESS_DENIED")));
    assert!(shared.receipts.all().is_empty());
}

#[tokio::test]
async fn a_403_of_the_server_behind_the_proxy_is_only_perhaps_the_proxys() {
    let (port, _squid) = squid("");
    let peer =
        Hostile::tcp(Manner::Saying(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()))
            .await;
    let seen = run(&plain(port, peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::ProxyDenied));
    assert_eq!(seen.judgement.confidence, Confidence::Possible);
}

#[tokio::test]
async fn a_service_that_the_proxy_cannot_reach_is_the_proxys_failure() {
    let (port, _squid) = squid("");
    let closed = closed_port().await;
    let seen = run(&plain(port, closed)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyUpstreamFailed));
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
    assert!(seen.judgement.sentence.contains("ERR_CONNECT_FAIL"), "{}", seen.judgement.sentence);
    let seen = run(&through(port, ProxyAuth::None, None, closed, https())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyUpstreamFailed));
    assert_eq!(seen.evidence.number(Fact::ProxyStatus), Some(503));
    assert!(!seen.evidence.passed(StepKind::Tls));
}

// --- through squid, tunnels ---

#[tokio::test]
async fn a_tunnel_through_squid_carries_bytes_both_ways() {
    let (port, _squid) = squid("");
    let (open, _shared) = target().await;
    let (steps, page, _) = tunnelled(&plain(port, open.address.port()), "").await;
    assert_eq!(steps, [(StepKind::Connect, None), (StepKind::Proxy, None)]);
    assert!(page.contains("not the real service"), "{page}");
}

#[tokio::test]
async fn https_through_squid_reaches_the_responder() {
    let (port, _squid) = squid("");
    let (open, shared) = target_of(true).await;
    let settings = Http { send_bytes: Some(1 << 20), ..https() };
    let mut ask = through(port, ProxyAuth::None, None, open.address.port(), settings);
    ask.tls.fingerprint = Some(shared.certificate.fingerprint.clone());
    let seen = run(&ask).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{}", seen.judgement.sentence);
    assert!(seen.evidence.holds(Fact::Echoed));
    let kinds: Vec<StepKind> = seen.evidence.steps.iter().map(|step| step.kind).collect();
    let expected = [StepKind::Connect, StepKind::Proxy, StepKind::Tls, StepKind::Request, StepKind::Reply];
    assert_eq!(kinds, expected);
    assert_eq!(shared.receipts.all()[0].token.as_deref(), Some(ask.token.as_str()));
}

#[tokio::test]
async fn every_way_of_authentication_opens_a_tunnel() {
    for (lines, auth) in [(BASIC, ProxyAuth::Basic), (DIGEST, ProxyAuth::Digest)] {
        tunnel_opens(lines, auth, "user").await;
    }
}

#[cfg(feature = "smb")]
#[tokio::test]
async fn ntlm_opens_a_tunnel_on_one_connection() {
    let steps = tunnel_opens(NTLM, ProxyAuth::Ntlm, "CORP\\user").await;
    assert_eq!(steps, [StepKind::Connect, StepKind::Proxy, StepKind::Proxy]);
}

async fn tunnel_opens(lines: &str, auth: ProxyAuth, user: &str) -> Vec<StepKind> {
    let (port, _squid) = squid(lines);
    let (open, _shared) = target().await;
    let ask = through(port, auth, Some(user), open.address.port(), Http::default());
    let (steps, page, evidence) = tunnelled(&ask, "secret").await;
    assert!(page.contains("not the real service"), "{auth:?}: {steps:?} {evidence:?}");
    assert_eq!(evidence.text(Fact::ProxyAuth), Some(auth.word()));
    assert!(steps.iter().all(|(_, failure)| failure.is_none()), "{steps:?}");
    steps.into_iter().map(|(kind, _)| kind).collect()
}

#[tokio::test]
async fn a_tunnel_without_an_account_is_refused_for_want_of_one() {
    let (port, _squid) = squid(DIGEST);
    for (auth, failure) in [(ProxyAuth::None, Failure::Unexpected), (ProxyAuth::Digest, Failure::NeedsCredentials)] {
        let seen = run(&through(port, auth, None, 443, https())).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyAuthRequired));
        assert!(seen.judgement.sentence.contains("digest"), "{}", seen.judgement.sentence);
        let step = seen.evidence.stopped_at().expect("a failed step");
        assert_eq!((step.kind, step.error), (StepKind::Proxy, Some(failure)));
    }
}

#[tokio::test]
async fn a_tunnel_to_a_port_that_is_not_allowed_is_refused() {
    let (port, _squid) = squid("acl secure port 443\nacl tunnel method CONNECT\nhttp_access deny tunnel !secure");
    let seen = run(&through(port, ProxyAuth::None, None, 8443, https())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyConnectRefused));
    assert!(seen.judgement.sentence.contains("443 only"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_tunnel_to_443_that_is_not_allowed_is_denied() {
    let (port, _squid) = squid("acl there dst 127.0.0.1\nhttp_access deny there");
    let seen = run(&through(port, ProxyAuth::None, None, 443, https())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyDenied));
}
