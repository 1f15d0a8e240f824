//! Tests of `websocket`: the upgrade, the frames, and the idle time, against our responder, nginx, an independent server and
//! hostile peers.

mod frames;
mod idleness;
mod responding;
mod upgrade;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::finding::Status;
use bothways::model::probe::{Probe, Websocket};
use bothways::model::span::Span;
use bothways::model::token::Token;
use bothways::responder::{self, Certificate, Limits, Open, Peers, Service, Shared};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::support::daemon::{self, Daemon};
use crate::support::{self, Seen};

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

async fn responder(limits: Limits) -> (Open, Arc<Shared>) {
    responder_of(responder::http::Service::default(), limits).await
}

async fn responder_of(service: responder::http::Service, limits: Limits) -> (Open, Arc<Shared>) {
    let shared = Arc::new(Shared::within(
        limits,
        Peers::loopback(),
        Certificate::for_names(&["localhost".to_owned()]).expect("a certificate"),
    ));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (responder::open(Service::Http(service), any, Arc::clone(&shared)).await.expect("a free port"), shared)
}

type Client = WebSocketStream<TcpStream>;

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
