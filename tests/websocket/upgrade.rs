//! The answer to the upgrade: through nginx, and from servers that answer wrongly or not at all.

use bothways::model::ask::{Ask, Proxy, ProxyAuth, ProxyOrigin, Route};
use bothways::model::code::Code;
use bothways::model::evidence::StepKind;
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status, Who};
use bothways::model::probe::Websocket;
use bothways::responder::Limits;

use super::{HOLD, Head, SHORT, answering, ask, assert_verdict, holding, nginx, passing_on, responder, with};
use crate::proxy::squid::squid;
use crate::support::hostile::{Hostile, Manner};
use crate::support::{hostile, run, run_within};

#[tokio::test]
async fn a_reverse_proxy_that_passes_upgrades_on_passes() {
    let (open, _shared) = responder(Limits::default()).await;
    let (_nginx, port) = passing_on(open.address, "");
    let seen = run(&holding(port, HOLD)).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &["pushed"]);
    assert!(seen.evidence.text(Fact::Server).is_some_and(|server| server.starts_with("nginx")), "{seen:#?}");
}

#[tokio::test]
async fn a_reverse_proxy_that_strips_the_upgrade_is_proved_by_the_responder_behind_it() {
    let (open, _shared) = responder(Limits::default()).await;
    let (_nginx, port) = nginx(&format!("location / {{ proxy_pass http://{}; }}", open.address));
    let seen = run(&ask(port)).await;
    assert_verdict(&seen, Status::Fail, Code::WsUpgradeStripped, &[&port.to_string(), "removed the Upgrade headers"]);
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
    assert_eq!(seen.judgement.remedy.expect("a remedy").who, Who::Network);
}

/// The same question through a proxy on this machine.
fn through(proxy: u16, ask: Ask) -> Ask {
    let proxy = Proxy {
        host: "127.0.0.1".to_owned(),
        port: proxy,
        auth: ProxyAuth::None,
        account: None,
        origin: ProxyOrigin::Profile,
    };
    Ask { route: Route::Proxy(proxy), ..ask }
}

#[tokio::test]
async fn a_tunnel_through_a_proxy_is_asked_for_also_without_encryption() {
    let (proxy, _squid) = squid("");
    let (open, _shared) = responder(Limits::default()).await;
    let seen = run(&through(proxy, holding(open.address.port(), HOLD))).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &[&open.address.to_string(), "pushed"]);
    assert!(seen.evidence.passed(StepKind::Proxy), "{seen:#?}");
    assert_eq!(seen.evidence.text(Fact::Proxy), Some(format!("127.0.0.1:{proxy}").as_str()));
}

#[tokio::test]
async fn a_proxy_that_denies_the_tunnel_is_the_proxys_finding() {
    let (proxy, _squid) = squid("acl tunnel method CONNECT\nhttp_access deny tunnel");
    let (open, shared) = responder(Limits::default()).await;
    let seen = run(&through(proxy, ask(open.address.port()))).await;
    assert_verdict(&seen, Status::Fail, Code::ProxyConnectRefused, &[&proxy.to_string()]);
    assert!(shared.receipts.all().is_empty());
}

/// An upgrade of one path.
fn at(port: u16, path: &str) -> Ask {
    with(port, Websocket { path: Some(path.to_owned()), ..Websocket::default() })
}

#[tokio::test]
async fn a_plain_page_instead_of_an_upgrade_may_be_stripped_or_the_wrong_path() {
    let (_nginx, port) = nginx("location / { return 200 'plain page'; }");
    let seen = run(&ask(port)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Unknown, Code::WsUpgradeStripped), "{seen:#?}");
    assert!(seen.judgement.sentence.contains("this decides nothing"), "{}", seen.judgement.sentence);
    let seen = run(&at(port, "/ws")).await;
    assert_verdict(&seen, Status::Fail, Code::WsUpgradeStripped, &["status 200", "no WebSocket at this path"]);
    assert_eq!(seen.judgement.confidence, Confidence::Possible);
    assert_eq!(seen.evidence.text(Fact::Banner), Some("plain page"));
}

#[tokio::test]
async fn refusals_are_told_with_their_status() {
    let (_nginx, port) = nginx(
        "location /missing { return 404; } location /forbidden { return 403; } location /login { return 401; }\n\
         location /moved { return 302 /here; } location /away { return 302 https://elsewhere.example/; } location /down { proxy_pass http://127.0.0.1:9; }",
    );
    for (path, status, who) in [
        ("/missing", "404", Who::Profile),
        ("/forbidden", "403", Who::Product),
        ("/login", "401", Who::Product),
        ("moved", "302", Who::Profile),
        ("/down", "502", Who::Product),
    ] {
        let seen = run(&at(port, path)).await;
        assert_verdict(&seen, Status::Fail, Code::WsRefused, &[path, status, "nginx"]);
        assert_eq!(seen.judgement.remedy.expect("a remedy").who, who, "{path}");
    }
    assert_verdict(&run(&at(port, "/away")).await, Status::Fail, Code::HttpRedirected, &["elsewhere.example", "302"]);
}

#[tokio::test]
async fn a_list_in_the_connection_header_is_right() {
    let port =
        answering(|head| head.switching().replace("Connection: Upgrade", "Connection: keep-alive, upgrade")).await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_eq!(seen.evidence.text(Fact::AcceptKey), Some("right"));
    assert!(seen.evidence.holds(Fact::UpgradeAnswer));
}

type Answer = fn(&Head) -> String;

#[tokio::test]
async fn a_101_that_is_not_an_answer_to_this_request_is_a_bad_accept() {
    let wrong = |head: &Head| head.switching().replace(&head.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let missing = |head: &Head| head.switching().replace(&format!("Sec-WebSocket-Accept: {}\r\n", head.accept()), "");
    let bare = |head: &Head| head.switching().replace("Upgrade: websocket\r\nConnection: Upgrade\r\n", "");
    let twice = |head: &Head| {
        let line = format!("Sec-WebSocket-Accept: {}\r\n", head.accept());
        head.switching().replace(&line, &line.repeat(2))
    };
    let cases: [(Answer, &str, &str); 4] = [
        (wrong, "wrong", "wrong key"),
        (missing, "missing", "without the key"),
        (bare, "right", "without the Upgrade and Connection headers"),
        (twice, "wrong", "wrong key"),
    ];
    for (answer, key, words) in cases {
        let seen = run(&ask(answering(answer).await)).await;
        assert_verdict(&seen, Status::Fail, Code::WsBadAccept, &["101", words]);
        assert_eq!(seen.evidence.text(Fact::AcceptKey), Some(key));
    }
}

#[tokio::test]
async fn a_subprotocol_that_nobody_asked_for_is_refused() {
    let port = answering(|head| head.switching().replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n")).await;
    assert_verdict(&run(&ask(port)).await, Status::Fail, Code::WsRefused, &["`chat`", "none"]);
}

#[tokio::test]
async fn an_iis_without_the_role_service_gets_the_hint() {
    let answer = "HTTP/1.1 400 Bad Request\r\nServer: Microsoft-IIS/10.0\r\nContent-Length: 0\r\n\r\n";
    let seen = run(&at(answering(|_| answer.to_owned()).await, "/ws")).await;
    assert_verdict(&seen, Status::Fail, Code::WsUpgradeStripped, &["status 400"]);
    assert!(seen.judgement.remedy.expect("a remedy").text.contains("WebSocket Protocol"));
}

#[tokio::test]
async fn an_answer_in_http_1_0_keeps_its_status() {
    let port = answering(|_| "HTTP/1.0 503 Service Unavailable\r\nVia: 1.0 filter\r\n\r\nblocked".to_owned()).await;
    let seen = run(&ask(port)).await;
    assert_verdict(&seen, Status::Fail, Code::WsRefused, &["503"]);
    assert_eq!(seen.evidence.text(Fact::Banner), Some("blocked"));
    assert_eq!(seen.evidence.text(Fact::Via), Some("1.0 filter"));
}

#[tokio::test]
async fn an_endless_page_is_not_read_to_its_end() {
    let head = b"HTTP/1.1 200 OK\r\nVia: 1.1 cache\r\n\r\n".to_vec();
    let peer = Hostile::tcp(Manner::Endless(head, b"page ".repeat(1000))).await;
    let seen = run(&at(peer.address.port(), "/ws")).await;
    assert_verdict(&seen, Status::Fail, Code::WsUpgradeStripped, &["came through 1.1 cache"]);
    assert_eq!(seen.judgement.confidence, Confidence::Likely);
}

#[tokio::test]
async fn peers_that_answer_no_http_have_their_codes() {
    let garbage = hostile::garbage();
    for (manner, code) in [
        (Manner::Silent, Code::Silent),
        (Manner::Dripping(b"HTTP/1.1 101".to_vec()), Code::Silent),
        (Manner::SayingThenSilent(b"HTTP/1.1 101 Switching".to_vec()), Code::Silent),
        (Manner::ResettingOnPayload, Code::ResetOnPayload),
        (Manner::Saying(Vec::new()), Code::ClosedAfterConnect),
        (Manner::Saying(b"HTTP/1.1 101 Switching".to_vec()), Code::ClosedAfterConnect),
        (Manner::Saying(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Code::WrongService),
        (Manner::Saying(garbage.clone()), Code::WrongService),
        (Manner::Endless(garbage.clone(), garbage), Code::WrongService),
        (
            Manner::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Pad: aaaaaaaaaaaaaaaaaaaa\r\n".repeat(100)),
            Code::HttpAltered,
        ),
    ] {
        let peer = Hostile::tcp(manner.clone()).await;
        let seen = run_within(&ask(peer.address.port()), &[], SHORT).await;
        assert_eq!(seen.judgement.code, code, "{manner:?}\n{seen:#?}");
        assert_verdict(&seen, Status::Fail, code, &[&peer.address.to_string()]);
    }
}

#[tokio::test]
async fn the_first_words_of_another_service_are_quoted() {
    let peer = Hostile::tcp(Manner::Saying(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())).await;
    assert_verdict(&run(&ask(peer.address.port())).await, Status::Fail, Code::WrongService, &["SSH-2.0-OpenSSH_9.2"]);
}

#[tokio::test]
async fn peers_that_end_the_connection_before_they_read_are_told_from_closed_ports() {
    // Whether the end is noticed before or after the request has left is up to the clock of both sides.
    for (manner, codes) in [
        (Manner::Closing, &[Code::ClosedAfterConnect, Code::ResetOnPayload][..]),
        (Manner::Resetting, &[Code::ResetAfterConnect, Code::ResetOnPayload][..]),
    ] {
        let peer = Hostile::tcp(manner).await;
        let seen = run(&ask(peer.address.port())).await;
        assert!(codes.contains(&seen.judgement.code), "{seen:#?}");
    }
    let seen = run(&ask(hostile::closed_port().await)).await;
    assert_verdict(&seen, Status::Fail, Code::Refused, &[]);
}
