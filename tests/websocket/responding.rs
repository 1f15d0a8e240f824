//! The answering half: against our probe, an independent client, and raw requests.

use std::net::SocketAddr;
use std::time::Duration;

use bothways::model::ask::Trust;
use bothways::model::code::Code;
use bothways::model::evidence::StepKind;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::probe::Websocket;
use bothways::model::run::Receipt;
use bothways::model::token::Token;
use bothways::responder::http::Service;
use bothways::responder::{Limits, Open};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Client, HOLD, ask, assert_verdict, holding, responder, responder_of, with};
use crate::support::run;

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
    let asked: Vec<_> = receipts.iter().filter_map(|receipt| receipt.asked.as_deref()).collect();
    assert_eq!(asked, ["GET / 101", Receipt::FIRST_FRAME], "{receipts:?}");
    assert_eq!(receipts[1].token, receipts[0].token);
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
async fn a_responder_speaks_websocket_over_tls() {
    let (open, _shared) = responder_of(Service { https: true, ..Service::default() }, Limits::default()).await;
    let settings = Websocket { https: Some(true), hold: Some(HOLD), ..Websocket::default() };
    let mut ask = with(open.address.port(), settings);
    ask.tls.trust = Trust::Anyone;
    let seen = run(&ask).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &["pushed"]);
    assert!(seen.evidence.passed(StepKind::Tls), "{seen:#?}");
}

#[tokio::test]
async fn a_subprotocol_is_agreed_on() {
    let (open, _shared) = responder(Limits::default()).await;
    let settings = Websocket { subprotocol: Some("wake".to_owned()), ..Websocket::default() };
    let seen = run(&with(open.address.port(), settings)).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &[]);
    assert_eq!(seen.evidence.text(Fact::Subprotocol), Some("wake"));
}

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
