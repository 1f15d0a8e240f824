//! The control channel: strangers reach it, within strict limits, and nothing else.

use std::sync::Mutex;

use bothways::responder::{Admission, ControlHook, open_control};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

const PATH: &str = "/test/control";
const UPGRADE: &str = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A hook that repeats what it is told, and admits whoever says the word.
fn echo(peers: &Peers) -> ControlHook {
    let peers = peers.clone();
    ControlHook::new(PATH, move |stream, from, _| {
        let peers = peers.clone();
        async move {
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            let mut admission: Option<Admission> = None;
            while let Some(Ok(message)) = socket.next().await {
                if message == Message::text("let me in") {
                    admission = Some(peers.admit(from.ip()));
                }
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            drop(admission);
        }
    })
}

/// Where the control channel can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    BesideHttps,
    Alone,
}

async fn listener(place: Place, limits: Limits) -> (Open, Arc<Shared>) {
    let shared = shared(limits, only_the_peer());
    let hook = echo(&shared.peers);
    let open = match place {
        Place::BesideHttps => open(beside(true, hook), &shared).await,
        Place::Alone => open_control((PEER, 0).into(), Arc::clone(&shared), hook).expect("a free port"),
    };
    (open, shared)
}

fn beside(https: bool, hook: ControlHook) -> Service {
    Service::Http(responder::http::Service { https, control: Some(hook) })
}

async fn tls(from: Ipv4Addr, open: &Open, shared: &Shared) -> std::io::Result<TlsStream<TcpStream>> {
    let certificate = CertificateDer::from_pem_slice(shared.certificate.pem().as_bytes()).expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::IpAddress(IpAddr::V4(PEER).into());
    TlsConnector::from(Arc::new(config)).connect(name, connect(from, open.address).await).await
}

type Channel = WebSocketStream<TlsStream<TcpStream>>;

async fn joined(from: Ipv4Addr, open: &Open, shared: &Shared) -> Channel {
    let stream = tls(from, open, shared).await.expect("TLS");
    client_async(format!("wss://{}{PATH}", open.address), stream).await.expect("an upgrade").0
}

/// Says a text and hears what comes back.
async fn echoed(channel: &mut Channel, text: &str) -> Option<Message> {
    let _ = channel.send(Message::text(text)).await;
    tokio::time::timeout(PATIENCE, channel.next()).await.expect("an answer or a close")?.ok()
}

#[tokio::test]
async fn a_stranger_reaches_the_channel_and_becomes_a_peer_as_long_as_it_stays() {
    for place in [Place::BesideHttps, Place::Alone] {
        let (open, shared) = listener(place, Limits::default()).await;
        let mut channel = joined(STRANGER, &open, &shared).await;
        assert_eq!(echoed(&mut channel, "hello").await, Some(Message::text("hello")));
        assert!(!shared.peers.include(STRANGER.into()));
        assert_eq!(echoed(&mut channel, "let me in").await, Some(Message::text("let me in")));
        assert!(shared.peers.include(STRANGER.into()));
        channel.close(None).await.expect("closed");
        let deadline = Instant::now() + PATIENCE;
        while shared.peers.include(STRANGER.into()) {
            assert!(Instant::now() < deadline, "it is a peer for ever");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(shared.receipts.all().is_empty(), "the channel is no probe");
    }
}

#[tokio::test]
async fn a_peer_reaches_the_channel_and_the_page_beside_it() {
    let (open, shared) = listener(Place::BesideHttps, Limits::default()).await;
    let mut channel = joined(PEER, &open, &shared).await;
    assert_eq!(echoed(&mut channel, "hello").await, Some(Message::text("hello")));
    assert_served(&over_tcp()[1], &open, "a control channel").await;
}

#[tokio::test]
async fn whatever_else_a_stranger_asks_is_closed_without_an_answer() {
    let long = format!("GET {PATH} HTTP/1.1\r\n{UPGRADE}X-Long: {}\r\n\r\n", "x".repeat(4096));
    let requests = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n"),
        format!("GET {PATH}/more HTTP/1.1\r\n{UPGRADE}\r\n"),
        format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST {PATH} HTTP/1.1\r\n{UPGRADE}\r\n"),
        format!("GET {PATH} HTTP/1.0\r\n{UPGRADE}\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n{}\r\n", UPGRADE.replace("13", "8")),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "no HTTP at all\r\n\r\n".to_owned(),
        "x".repeat(4096),
        long,
    ];
    for place in [Place::BesideHttps, Place::Alone] {
        let (open, shared) = listener(place, Limits::default()).await;
        for request in &requests {
            let mut stranger = tls(STRANGER, &open, &shared).await.expect("TLS");
            stranger.write_all(request.as_bytes()).await.expect("sent");
            assert_eq!(said(&mut stranger).await, b"", "{place:?} {request}");
        }
        assert!(shared.receipts.all().is_empty());
    }
    let (open, shared) = listener(Place::Alone, Limits::default()).await;
    let mut peer = tls(PEER, &open, &shared).await.expect("TLS");
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    assert_eq!(said(&mut peer).await, b"", "a port of its own serves nothing else to peers either");
}

#[tokio::test]
async fn without_tls_nobody_gets_the_channel() {
    let shared = shared(Limits::default(), only_the_peer());
    let called = Arc::new(Mutex::new(false));
    let call = Arc::clone(&called);
    let hook = ControlHook::new(PATH, move |_, _, _| {
        *call.lock().expect("unpoisoned") = true;
        std::future::ready(())
    });
    let open = open(beside(false, hook), &shared).await;
    let request = format!("GET {PATH} HTTP/1.1\r\n{UPGRADE}\r\n");
    let mut stranger = connect(STRANGER, open.address).await;
    let _ = stranger.write_all(request.as_bytes()).await;
    assert_eq!(said(&mut stranger).await, b"");
    let (mut peer, _) =
        client_async(format!("ws://{}{PATH}", open.address), connect(PEER, open.address).await).await.expect("a 101");
    peer.send(Message::text("hello")).await.expect("sent");
    assert!(matches!(peer.next().await, Some(Ok(Message::Text(_)))), "this is the responder's own WebSocket");
    assert!(!*called.lock().expect("unpoisoned"));
}

#[tokio::test]
async fn a_stranger_that_takes_its_time_is_closed_at_every_stage() {
    let limits = Limits { stranger_time: Duration::from_millis(300), ..Limits::default() };
    for place in [Place::BesideHttps, Place::Alone] {
        let (open, shared) = listener(place, limits).await;
        assert_eq!(said(&mut connect(STRANGER, open.address).await).await, b"", "before TLS");
        let mut stranger = connect(STRANGER, open.address).await;
        stranger.write_all(b"\x16\x03\x01\x02").await.expect("sent");
        assert_eq!(said(&mut stranger).await, b"", "in the handshake");
        let mut stranger = tls(STRANGER, &open, &shared).await.expect("TLS");
        assert_eq!(said(&mut stranger).await, b"", "before its request");
        let mut stranger = tls(STRANGER, &open, &shared).await.expect("TLS");
        stranger.write_all(format!("GET {PATH} HTTP/1.1\r\nHost: ").as_bytes()).await.expect("sent");
        let dripping = async { while stranger.write_all(b"x").await.is_ok() && stranger.flush().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, dripping).await.expect("closed in its request");
        let mut channel = joined(STRANGER, &open, &shared).await;
        assert_eq!(said(channel.get_mut()).await, b"", "before its proof");
    }
}

#[tokio::test]
async fn whoever_was_admitted_stays_and_may_say_more_than_a_stranger() {
    let limits = Limits { stranger_time: Duration::from_millis(200), ..Limits::default() };
    for place in [Place::BesideHttps, Place::Alone] {
        let (open, shared) = listener(place, limits).await;
        let mut unproved = joined(STRANGER, &open, &shared).await;
        let long = "x".repeat(5000);
        assert_eq!(echoed(&mut unproved, &long).await, None, "more than 4096 bytes before the proof");
        let mut channel = joined(STRANGER, &open, &shared).await;
        assert!(echoed(&mut channel, "let me in").await.is_some());
        // A whole stranger's time later the other one, which came after, has long been closed.
        let other = Ipv4Addr::new(127, 0, 0, 3);
        assert_eq!(said(&mut connect(other, open.address).await).await, b"");
        assert!(echoed(&mut channel, &long).await.is_some(), "{place:?}");
        assert!(echoed(&mut channel, "still here").await.is_some(), "{place:?}");
    }
}

#[tokio::test]
async fn strangers_have_few_places_and_none_of_a_peers() {
    let limits = Limits { strangers: 3, strangers_per_address: 2, connections: 1, ..Limits::default() };
    for place in [Place::BesideHttps, Place::Alone] {
        let (open, shared) = listener(place, limits).await;
        let first = tls(STRANGER, &open, &shared).await.expect("a place");
        let _second = tls(STRANGER, &open, &shared).await.expect("a place");
        assert_eq!(said(&mut connect(STRANGER, open.address).await).await, b"", "two of one address");
        let [other, another] = [3, 4].map(|n| Ipv4Addr::new(127, 0, 0, n));
        let _third = tls(other, &open, &shared).await.expect("a place");
        assert_eq!(said(&mut connect(another, open.address).await).await, b"", "three of all");
        let mut peer = joined(PEER, &open, &shared).await;
        assert!(echoed(&mut peer, "hello").await.is_some(), "the peer's place is its own");
        drop(first);
        let deadline = Instant::now() + PATIENCE;
        while tls(another, &open, &shared).await.is_err() {
            assert!(Instant::now() < deadline, "places do not come back");
        }
    }
}

#[tokio::test]
async fn the_channel_ends_with_the_responder() {
    for place in [Place::BesideHttps, Place::Alone] {
        let (open, shared) = listener(place, Limits::default()).await;
        for from in [PEER, STRANGER] {
            let mut channel = joined(from, &open, &shared).await;
            assert!(echoed(&mut channel, "let me in").await.is_some());
        }
        let mut channels = [joined(PEER, &open, &shared).await, joined(STRANGER, &open, &shared).await];
        drop(open);
        for channel in &mut channels {
            said(channel.get_mut()).await;
        }
    }
}
