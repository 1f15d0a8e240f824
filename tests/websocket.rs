//! Tests of `websocket`: the upgrade, the frames, and the idle time, against our responder, nginx, an independent server and
//! hostile peers.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status, Who};
use bothways::model::probe::{Probe, Websocket};
use bothways::model::span::Span;
use bothways::model::token::Token;
use bothways::responder::{self, Certificate, Limits, Open, Peers, Receipts, Service, Shared};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::support::daemon::{self, Daemon};
use crate::support::hostile::{self, Hostile, Manner};
use crate::support::{self, Seen, run, run_within};

const SHORT: Duration = Duration::from_millis(700);
const HOLD: Span = Span::millis(250);

fn ask(port: u16) -> Ask {
    with(port, Websocket::default())
}

fn holding(port: u16, hold: Span) -> Ask {
    with(port, Websocket { hold: Some(hold), ..Websocket::default() })
}

fn with(port: u16, settings: Websocket) -> Ask {
    support::ask(Probe::Websocket(settings), port)
}

#[track_caller]
fn assert_verdict(seen: &Seen, status: Status, code: Code, words: &[&str]) {
    assert_eq!((seen.judgement.status, seen.judgement.code), (status, code), "{seen:#?}");
    for word in words {
        assert!(seen.judgement.sentence.contains(word), "`{word}` is not in: {}", seen.judgement.sentence);
    }
    assert_eq!(seen.judgement.remedy.is_some(), !matches!(status, Status::Pass | Status::Unknown), "{seen:#?}");
}

fn stopped_at(seen: &Seen) -> Option<(StepKind, Option<Failure>)> {
    seen.evidence.stopped_at().map(|step| (step.kind, step.error))
}

// --- our responder ---

async fn responder(limits: Limits) -> (Open, Arc<Shared>) {
    let shared = Arc::new(Shared {
        peers: Peers::loopback(),
        limits,
        receipts: Receipts::new(Instant::now()),
        certificate: Certificate::for_names(&["localhost".to_owned()]).expect("a certificate"),
    });
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let service = Service::Http(responder::http::Service::default());
    (responder::open(service, any, Arc::clone(&shared)).await.expect("a free port"), shared)
}

#[tokio::test]
async fn a_responder_answers_the_upgrade_the_ping_and_the_text_and_keeps_a_receipt() {
    let (open, shared) = responder(Limits::default()).await;
    let ask = ask(open.address.port());
    let seen = run(&ask).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &[&open.address.to_string(), "answered a ping"]);
    assert!(seen.evidence.holds(Fact::Echoed));
    let kinds: Vec<_> = seen.evidence.steps.iter().map(|step| step.kind).collect();
    let pair = [StepKind::Request, StepKind::Reply];
    assert_eq!(kinds, [&[StepKind::Connect][..], &pair, &pair, &pair].concat());
    let receipts = shared.receipts.all();
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!((receipts[0].protocol.as_str(), receipts[0].token.as_deref()), ("websocket", Some(ask.token.as_str())));
    assert!(receipts[0].headers.iter().any(|(name, value)| name == "upgrade" && value == "websocket"));
    assert_eq!(receipts[0].source, seen.evidence.text(Fact::LocalAddress).expect("an address"));
}

#[tokio::test]
async fn a_responder_pushes_after_the_idle_time() {
    let (open, _shared) = responder(Limits::default()).await;
    let seen = run(&holding(open.address.port(), HOLD)).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &["250ms without traffic", "pushed"]);
    assert!(seen.evidence.holds(Fact::Pushed));
    assert_eq!(seen.evidence.number(Fact::HeldMs), Some(250));
}

#[tokio::test]
async fn a_subprotocol_is_agreed_on() {
    let (open, _shared) = responder(Limits::default()).await;
    let settings = Websocket { subprotocol: Some("wake".to_owned()), ..Websocket::default() };
    let seen = run(&with(open.address.port(), settings)).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &[]);
    assert_eq!(seen.evidence.text(Fact::Subprotocol), Some("wake"));
}

type Client = WebSocketStream<TcpStream>;

/// An independent client of the responder.
async fn client(open: &Open) -> Client {
    let stream = TcpStream::connect(open.address).await.expect("an open port");
    let request = format!("ws://{}/any/path", open.address).into_client_request().expect("a request");
    client_async(request, stream).await.expect("an upgrade").0
}

#[tokio::test]
async fn an_independent_client_is_answered_and_closed_politely() {
    let (open, shared) = responder(Limits::default()).await;
    let mut client = client(&open).await;
    for message in [Message::text("hello"), Message::binary(vec![0, 159, 146])] {
        client.send(message.clone()).await.expect("sent");
        assert_eq!(client.next().await.expect("a message").expect("a frame"), message);
    }
    client.send(Message::Ping("abc".into())).await.expect("sent");
    assert_eq!(client.next().await.expect("a message").expect("a frame"), Message::Pong("abc".into()));
    client.close(None).await.expect("sent");
    assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
    assert!(client.next().await.is_none());
    assert_eq!(shared.receipts.all()[0].token, None);
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_conversation() {
    let (open, _shared) = responder(Limits::default()).await;
    let mut client = client(&open).await;
    let _ = client.send(Message::binary(vec![7; 64 * 1024 + 1])).await;
    let answer = client.next().await;
    assert!(!matches!(answer, Some(Ok(Message::Binary(_)))), "{answer:?}");
}

/// What comes back for a raw request until the responder closes or has sent a whole head.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("an open port");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await.expect("an answer") {
            0 => break,
            length => answer.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8(answer).expect("text").to_lowercase()
}

const RFC_KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

#[tokio::test]
async fn the_key_of_the_rfc_gets_the_answer_of_the_rfc() {
    let (open, _shared) = responder(Limits::default()).await;
    let request =
        format!("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n{RFC_KEY}\r\n");
    let answer = raw(open.address, &request).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
}

#[tokio::test]
async fn a_request_without_its_upgrade_headers_is_told_so_with_its_token_and_briefly() {
    let (open, shared) = responder(Limits::default()).await;
    let token = Token::random();
    let request = format!("GET / HTTP/1.1\r\nHost: miradore.example\r\n{RFC_KEY}{}: {token}\r\n\r\n", Token::HEADER);
    let answer = raw(open.address, &request).await;
    assert!(answer.starts_with("http/1.1 426 ") && answer.contains(token.as_str()), "{answer}");
    assert!(answer.contains("sec-websocket-version: 13"), "{answer}");
    assert_eq!(shared.receipts.all()[0].token.as_deref(), Some(token.as_str()));
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let (open, _shared) = responder(Limits::default()).await;
    let upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 13\r\n\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: c2hvcnQ=\r\nSec-WebSocket-Version: 13\r\n\r\n"), "400"),
        (format!("POST / HTTP/1.1\r\n{upgrade}Content-Length: 0\r\n{RFC_KEY}\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\n{upgrade}{}\r\n", RFC_KEY.replace("13", "8")), "426"),
        (format!("GET / HTTP/1.0\r\n{upgrade}{RFC_KEY}\r\n"), "426"),
    ] {
        let answer = raw(open.address, &request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}{answer}");
    }
}

// --- nginx ---

/// nginx with one server block; `{port}` and `{root}` are filled in.
fn nginx(server: &str) -> (Daemon, u16) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = daemon::free_tcp_port();
    let root = folder.path().display().to_string();
    let settings = format!(
        "daemon off; user root; pid {root}/pid; error_log {root}/error.log; events {{}}\n\
         http {{ access_log off; client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root}; \
         uwsgi_temp_path {root}; scgi_temp_path {root};\nserver {{ listen 127.0.0.1:{port}; {server} }} }}\n"
    );
    std::fs::write(folder.path().join("nginx.conf"), settings).expect("a file");
    let mut command = std::process::Command::new(daemon::program("nginx", "nginx-light"));
    command.arg("-c").arg(folder.path().join("nginx.conf")).arg("-p").arg(folder.path());
    let mut nginx = daemon::start(&mut command, folder);
    nginx.wait_for_tcp(port);
    (nginx, port)
}

fn passing_on(to: SocketAddr, more: &str) -> (Daemon, u16) {
    nginx(&format!(
        "location / {{ proxy_pass http://{to}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
         proxy_set_header Connection \"upgrade\"; {more} }}"
    ))
}

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

#[tokio::test]
async fn a_reverse_proxy_that_closes_idle_connections_is_found() {
    let (open, _shared) = responder(Limits::default()).await;
    let (_nginx, port) = passing_on(open.address, "proxy_read_timeout 150ms;");
    let seen = run(&holding(port, Span::millis(900))).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["idle", "closed after"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Hold, Some(Failure::Closed))));
    assert!(seen.evidence.number(Fact::DiedAfterMs).is_some());
}

#[tokio::test]
async fn a_plain_page_instead_of_an_upgrade_may_be_stripped_or_the_wrong_path() {
    let (_nginx, port) = nginx("location / { return 200 'plain page'; }");
    let seen = run(&ask(port)).await;
    assert_verdict(&seen, Status::Fail, Code::WsUpgradeStripped, &["status 200", "no WebSocket at this path"]);
    assert_eq!(seen.judgement.confidence, Confidence::Possible);
    assert_eq!(seen.evidence.text(Fact::Banner), Some("plain page"));
}

#[tokio::test]
async fn refusals_are_told_with_their_status() {
    let (_nginx, port) = nginx(
        "location /missing { return 404; } location /forbidden { return 403; } location /login { return 401; }\n\
         location /moved { return 302 https://elsewhere.example/; } location /down { proxy_pass http://127.0.0.1:9; }",
    );
    for (path, status, who) in [
        ("/missing", "404", Who::Profile),
        ("/forbidden", "403", Who::Product),
        ("/login", "401", Who::Product),
        ("moved", "302", Who::Profile),
        ("/down", "502", Who::Product),
    ] {
        let seen = run(&with(port, Websocket { path: Some(path.to_owned()), ..Websocket::default() })).await;
        assert_verdict(&seen, Status::Fail, Code::WsRefused, &[path, status, "nginx"]);
        assert_eq!(seen.judgement.remedy.expect("a remedy").who, who, "{path}");
    }
}

// --- an independent server, and servers that go wrong ---

/// The head of an upgrade request, as a peer reads it.
struct Head {
    text: String,
}

impl Head {
    fn field(&self, name: &str) -> &str {
        let start = format!("{}: ", name.to_lowercase());
        let line = self.text.lines().find(|line| line.to_lowercase().starts_with(&start)).expect("the header");
        &line[start.len()..]
    }

    fn accept(&self) -> String {
        derive_accept_key(self.field("sec-websocket-key").as_bytes())
    }

    /// A right 101.
    fn switching(&self) -> String {
        let accept = self.accept();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    }

    /// A right 101 that repeats the token, as a responder's does.
    fn switching_with_token(&self) -> String {
        let token = self.field(Token::HEADER);
        self.switching().replace("\r\n\r\n", &format!("\r\n{}: {token}\r\n\r\n", Token::HEADER))
    }
}

/// A peer that reads one request and then does what the script says.
async fn peer<F: Future<Output = ()> + Send>(script: impl FnOnce(TcpStream, Head) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.expect("a request"));
        }
        script(stream, Head { text: String::from_utf8(text).expect("text") }).await;
    });
    port
}

/// A peer that answers with a text and then stays silent.
async fn answering(answer: impl FnOnce(&Head) -> String + Send + 'static) -> u16 {
    peer(|mut stream, head| async move {
        stream.write_all(answer(&head).as_bytes()).await.expect("sent");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

/// A peer that upgrades rightly and then does what the script says with the WebSocket.
async fn upgrading<F: Future<Output = ()> + Send>(script: impl FnOnce(Client) -> F + Send + 'static) -> u16 {
    peer(|mut stream, head| async move {
        stream.write_all(head.switching().as_bytes()).await.expect("sent");
        script(WebSocketStream::from_raw_socket(stream, Role::Server, None).await).await;
    })
    .await
}

fn reset(socket: &Client) {
    socket2::SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO)).expect("linger");
}

#[tokio::test]
async fn an_independent_server_that_only_answers_pings_passes_also_after_idleness() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = accept_async(stream).await.expect("an upgrade");
        socket.send(Message::text("news of my own")).await.expect("sent");
        socket.send(Message::Ping("are you there".into())).await.expect("sent");
        let mut seen = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            seen.push(message);
        }
        seen
    });
    let seen = run(&holding(port, HOLD)).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &["answered a ping, also after 250ms"]);
    assert_eq!(seen.evidence.fact(Fact::Pushed), None);
    let messages = server.await.expect("no panic");
    assert!(
        messages.iter().all(|message| !message.is_text() && !message.is_binary()),
        "a stranger got data: {messages:?}"
    );
    assert!(matches!(messages.last(), Some(Message::Close(_))), "not closed politely: {messages:?}");
}

#[tokio::test]
async fn a_list_in_the_connection_header_is_right() {
    let port =
        answering(|head| head.switching().replace("Connection: Upgrade", "Connection: keep-alive, upgrade")).await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_eq!(seen.evidence.text(Fact::AcceptKey), Some("right"));
    assert!(seen.evidence.holds(Fact::UpgradeAnswer));
}

#[tokio::test]
async fn a_101_that_is_not_an_answer_to_this_request_is_a_bad_accept() {
    let wrong = |head: &Head| head.switching().replace(&head.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let missing = |head: &Head| head.switching().replace(&format!("Sec-WebSocket-Accept: {}\r\n", head.accept()), "");
    let bare = |head: &Head| head.switching().replace("Upgrade: websocket\r\nConnection: Upgrade\r\n", "");
    let twice = |head: &Head| {
        let line = format!("Sec-WebSocket-Accept: {}\r\n", head.accept());
        head.switching().replace(&line, &line.repeat(2))
    };
    let cases: [(fn(&Head) -> String, &str, &str); 4] = [
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
    let seen = run(&ask(answering(|_| answer.to_owned()).await)).await;
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
    let seen = run(&ask(peer.address.port())).await;
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
            Code::WrongService,
        ),
    ] {
        let peer = Hostile::tcp(manner.clone()).await;
        let seen = run_within(&ask(peer.address.port()), &[], SHORT).await;
        assert_eq!(seen.judgement.code, code, "{manner:?}\n{seen:#?}");
        assert_verdict(&seen, Status::Fail, code, &[&peer.address.to_string()]);
    }
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

// --- frames ---

#[tokio::test]
async fn a_ping_without_an_answer_is_lost_frames() {
    let port = upgrading(|socket| async move {
        let _ = socket.into_inner().read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was not answered"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Reply, Some(Failure::TimedOut))));
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_lost_frames() {
    for bytes in
        [hostile::garbage(), b"HTTP/1.1 200 OK\r\n".repeat(6), vec![0x83, 0], vec![0x82, 0x7f, 0, 0, 0, 9, 0, 0, 0, 0]]
    {
        let port = upgrading(|socket| async move {
            let mut stream = socket.into_inner();
            let _ = stream.write_all(&bytes).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let seen = run(&ask(port)).await;
        assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["no WebSocket frames"]);
    }
}

#[tokio::test]
async fn a_connection_that_ends_after_the_upgrade_is_lost_frames() {
    let closing =
        upgrading(|mut socket| async move { while socket.get_mut().read_u8().await.is_ok_and(|byte| byte != 0x89) {} });
    let seen = run(&ask(closing.await)).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was answered by"]);
    let resetting = upgrading(|mut socket| async move {
        let _ = socket.next().await;
        reset(&socket);
    });
    let seen = run(&ask(resetting.await)).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was answered by a reset"]);
}

#[tokio::test]
async fn data_without_end_is_no_answer_to_a_ping() {
    let port = upgrading(|mut socket| async move { while socket.send(Message::text("news")).await.is_ok() {} }).await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was not answered"]);
}

#[tokio::test]
async fn a_pong_to_another_ping_is_no_answer() {
    let port = upgrading(|mut socket| async move {
        let _ = socket.send(Message::Pong("unasked".into())).await;
        let _ = socket.into_inner().read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &[]);
}

#[tokio::test]
async fn a_close_frame_of_the_service_leaves_the_way_open() {
    let port = upgrading(|mut socket| async move {
        let frame = CloseFrame { code: CloseCode::Policy, reason: "who are you".into() };
        let _ = socket.close(Some(frame)).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let seen = run(&ask(port)).await;
    assert_verdict(&seen, Status::Warn, Code::ClosedAfterConnect, &["Close frame", "1008"]);
}

#[tokio::test]
async fn a_responder_whose_text_is_lost_is_lost_frames() {
    let port = peer(|mut stream, head| async move {
        stream.write_all(head.switching_with_token().as_bytes()).await.expect("sent");
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a text"]);
}

// --- idleness ---

/// A peer that answers the first ping and then does what the script says.
async fn answering_once<F: Future<Output = ()> + Send>(script: impl FnOnce(Client) -> F + Send + 'static) -> u16 {
    upgrading(|mut socket| async move {
        assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
        socket.flush().await.expect("sent");
        script(socket).await;
    })
    .await
}

#[tokio::test]
async fn a_connection_that_dies_while_idle_is_idle_killed() {
    let closed = answering_once(|_socket| async {}).await;
    let seen = run(&holding(closed, Span::seconds(2))).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["was closed after"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Hold, Some(Failure::Closed))));

    let cut = answering_once(|socket| async move { reset(&socket) });
    let seen = run(&holding(cut.await, Span::seconds(2))).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["was cut by a reset after"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Hold, Some(Failure::Reset))));
    assert!(seen.evidence.number(Fact::DiedAfterMs).is_some_and(|millis| millis < 2000), "{seen:#?}");
}

#[tokio::test]
async fn a_connection_that_is_silently_dead_after_idleness_is_idle_killed() {
    let port = answering_once(|socket| async move {
        let _ = socket.into_inner().read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = run_within(&holding(port, HOLD), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["dead after 250ms", "without a sign"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Reply, Some(Failure::TimedOut))));
}

#[tokio::test]
async fn a_service_that_closes_idle_clients_is_said_to_do_so_itself() {
    let port = answering_once(|mut socket| async move {
        let _ = socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "idle".into() })).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let seen = run(&holding(port, Span::seconds(2))).await;
    assert_verdict(&seen, Status::Warn, Code::WsIdleKilled, &["itself", "1001"]);
}

#[tokio::test]
async fn a_time_that_is_over_before_the_idle_time_proves_nothing() {
    let (open, _shared) = responder(Limits::default()).await;
    let seen = run_within(&holding(open.address.port(), Span::seconds(60)), &[], SHORT).await;
    assert_verdict(&seen, Status::Unknown, Code::TimedOut, &["60s", "longer"]);
}

#[tokio::test]
async fn a_push_that_does_not_arrive_loses_the_reply_half() {
    let port = peer(|mut stream, head| async move {
        stream.write_all(head.switching_with_token().as_bytes()).await.expect("sent");
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await;
    let seen = run(&holding(port, HOLD)).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["250ms", "pushed did not arrive", "wake-up"]);
    assert_eq!(seen.judgement.lost, Some(Lost::Reply));
}

#[tokio::test]
async fn a_responder_closes_a_websocket_that_stays_idle_or_lasts_too_long() {
    for limits in [
        Limits { idle: Duration::from_millis(100), ..Limits::default() },
        Limits { conversation: Duration::from_millis(100), ..Limits::default() },
    ] {
        let (open, _shared) = responder(limits).await;
        let mut client = client(&open).await;
        let end = client.next().await;
        assert!(matches!(end, None | Some(Err(Error::Protocol(_) | Error::Io(_)))), "{end:?}");
    }
}
