//! What peers may use: places, bytes, datagrams, receipts; and that a closed responder ends what it began.

use std::net::IpAddr;

use bothways::model::token::Token;
use bothways::responder::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use tokio_tungstenite::client_async;

use super::*;

const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

fn both() -> Peers {
    Peers::only([PEER, OTHER].map(IpAddr::from).to_vec())
}

fn tcp() -> Service {
    Service::Tcp(responder::tcp::Service::default())
}

/// A connection that is held open once it has been greeted; nothing where it is closed instead.
async fn greeted(from: Ipv4Addr, to: SocketAddr) -> Option<TcpStream> {
    let mut stream = connect(from, to).await;
    let mut greeting = [0; Token::GREETING.len()];
    let read = timeout(PATIENCE, stream.read_exact(&mut greeting)).await.expect("a greeting or a close");
    read.is_ok().then_some(stream)
}

/// How many receipts the peer has.
fn from_the_peer(shared: &Shared) -> usize {
    shared.receipts.all().iter().filter(|receipt| receipt.source.starts_with("127.0.0.1:")).count()
}

#[tokio::test]
async fn connections_of_one_address_are_bounded_over_all_ports() {
    let shared = shared(Limits { connections_per_address: 3, ..Limits::default() }, both());
    let (one, other) = (open(tcp(), &shared).await, open(tcp(), &shared).await);
    let mut held = Vec::new();
    for port in [&one, &one, &other] {
        held.push(greeted(PEER, port.address).await.expect("a place"));
    }
    assert!(greeted(PEER, one.address).await.is_none() && greeted(PEER, other.address).await.is_none());
    assert!(greeted(OTHER, one.address).await.is_some(), "another address has its own");
    held.clear();
    let deadline = Instant::now() + PATIENCE;
    while greeted(PEER, one.address).await.is_none() {
        assert!(Instant::now() < deadline, "places do not come back");
    }
}

#[tokio::test]
async fn connections_are_bounded_on_a_port_and_on_all_ports_together() {
    let shared = shared(Limits { connections: 2, connections_overall: 3, ..Limits::default() }, both());
    let (one, other) = (open(tcp(), &shared).await, open(tcp(), &shared).await);
    let _first = greeted(PEER, one.address).await.expect("a place");
    let _second = greeted(OTHER, one.address).await.expect("a place");
    assert!(greeted(OTHER, one.address).await.is_none(), "the port is full");
    let _third = greeted(PEER, other.address).await.expect("a place");
    assert!(greeted(PEER, other.address).await.is_none(), "all ports together are full");
}

#[tokio::test]
async fn a_websocket_keeps_its_place_and_ends_with_the_responder() {
    let shared = shared(Limits { connections: 1, ..Limits::default() }, both());
    let service = Service::Http(responder::http::Service::default());
    let open = open(service, &shared).await;
    let stream = connect(PEER, open.address).await;
    let (mut socket, _) = client_async(format!("ws://{}/", open.address), stream).await.expect("an upgrade");
    assert_eq!(said(&mut connect(OTHER, open.address).await).await, b"", "the only place is taken");
    drop(open);
    assert_eq!(said(socket.get_mut()).await, b"");
}

#[tokio::test]
async fn a_responder_that_is_dropped_ends_its_conversations() {
    for case in over_tcp() {
        let shared = shared(Limits::default(), both());
        let open = open(case.service.clone(), &shared).await;
        let mut held = connect(PEER, open.address).await;
        assert_served(&case, &open, "a connection").await;
        drop(open);
        said(&mut held).await;
    }
}

#[tokio::test]
async fn a_peer_that_used_its_bytes_up_is_closed_and_the_other_is_served() {
    let shared = shared(Limits { bytes_per_peer: 100_000, ..Limits::default() }, both());
    let open = open(tcp(), &shared).await;
    let mut greedy = greeted(PEER, open.address).await.expect("a place");
    let sending = async { while greedy.write_all(&[b'x'; 1000]).await.is_ok() {} };
    timeout(PATIENCE, sending).await.expect("it breaks");
    assert!(greeted(PEER, open.address).await.is_none());
    assert!(greeted(OTHER, open.address).await.is_some());
    let receipts = shared.receipts.all();
    assert!(receipts.iter().all(|receipt| receipt.received_bytes < 110_000), "{receipts:?}");
}

#[tokio::test]
async fn replayed_datagrams_are_answered_at_a_bounded_rate() {
    for (case, question) in over_udp().into_iter().zip([&b"\x04MSSQLSERVER\0"[..], b"\0\x01boot.wim\0octet\0"]) {
        let shared = shared(Limits { datagrams_per_second: 20, ..Limits::default() }, both());
        let open = open(case.service.clone(), &shared).await;
        let replaying = UdpSocket::bind((PEER, 0)).await.expect("a free port");
        let start = Instant::now();
        for _ in 0..200 {
            replaying.send_to(question, open.address).await.expect("sent");
        }
        // The other peer is answered after all of those were looked at, and has a rate of its own.
        assert!(answer_to(question, OTHER, open.address).await.is_some(), "{}", case.name);
        let most = 20 * (start.elapsed().as_secs() + 2);
        let taken = from_the_peer(&shared);
        assert!((1..=most).contains(&(taken as u64)), "{}: {taken} of 200 were answered", case.name);
    }
}

#[tokio::test]
async fn datagrams_of_one_address_that_wait_for_their_end_leave_places_for_the_other() {
    let limits = Limits { datagrams: 4, datagrams_per_address: 2, ..Limits::default() };
    let shared = shared(limits, both());
    let case = &over_udp()[1];
    let open = open(case.service.clone(), &shared).await;
    let replaying = UdpSocket::bind((PEER, 0)).await.expect("a free port");
    for _ in 0..20 {
        // A transfer that is never acknowledged.
        replaying.send_to(b"\0\x01boot.wim\0octet\0", open.address).await.expect("sent");
    }
    assert!(answer_to(b"\0\x01boot.wim\0octet\0", OTHER, open.address).await.is_some());
    let first = from_the_peer(&shared);
    assert!(first <= 2, "{first} transfers at once");
}

#[tokio::test]
async fn datagrams_that_wait_for_their_end_are_bounded_on_a_port_for_all_addresses_together() {
    let shared = shared(Limits { datagrams: 2, datagrams_per_address: 2, ..Limits::default() }, both());
    let open = open(over_udp()[1].service.clone(), &shared).await;
    let question = b"\0\x01boot.wim\0octet\0";
    let [first, second, third] = [PEER, PEER, OTHER].map(|from| UdpSocket::bind((from, 0)));
    let [first, second, third] = [first.await, second.await, third.await].map(|socket| socket.expect("a free port"));
    let mut buffer = [0; 2048];
    let mut transfers = Vec::new();
    for socket in [&first, &second] {
        socket.send_to(question, open.address).await.expect("sent");
        transfers.push(socket.recv_from(&mut buffer).await.expect("a first block").1);
    }
    third.send_to(question, open.address).await.expect("sent");
    // The first ends its transfer, which makes room for one that comes after the third.
    first.send_to(b"\0\x05\0\0\0", transfers[0]).await.expect("sent");
    assert!(answer_to(question, OTHER, open.address).await.is_some());
    let answer = third.try_recv(&mut buffer);
    assert_eq!(answer.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock), "a third at once");
}

#[tokio::test]
async fn a_transfer_that_nobody_acknowledges_is_one_packet() {
    let limits = Limits { idle: Duration::from_millis(50), datagrams: 1, ..Limits::default() };
    let open = open(over_udp()[1].service.clone(), &shared(limits, only_the_peer())).await;
    let (asking, question) = (UdpSocket::bind((PEER, 0)).await.expect("a free port"), b"\0\x01boot.wim\0octet\0");
    asking.send_to(question, open.address).await.expect("sent");
    let mut buffer = [0; 2048];
    assert!(asking.recv(&mut buffer).await.is_ok_and(|length| length == 516));
    // There is room for another once it has ended.
    assert!(answer_to(question, PEER, open.address).await.is_some());
    let more = asking.try_recv(&mut buffer);
    assert_eq!(more.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn a_frame_of_smb_that_promises_too_much_is_not_waited_for() {
    let shared = shared(Limits { idle: Duration::from_secs(600), ..Limits::default() }, only_the_peer());
    let open = open(Service::Smb(responder::smb::Service::default()), &shared).await;
    let mut peer = connect(PEER, open.address).await;
    peer.write_all(b"\0\x01\0\x01\xfeSMB").await.expect("sent");
    assert_eq!(said(&mut peer).await, b"", "64 KiB and a byte");
}

#[tokio::test]
async fn receipts_are_bounded_and_those_left_out_are_counted() {
    let shared = shared(Limits { receipts: 10, ..Limits::default() }, both());
    let open = open(Service::Http(responder::http::Service::default()), &shared).await;
    let mut stream = connect(PEER, open.address).await;
    let questions = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(19) + "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    stream.write_all(questions.as_bytes()).await.expect("sent");
    let answers = String::from_utf8(said(&mut stream).await).expect("text");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 20, "answering goes on");
    assert_eq!((shared.receipts.all().len(), shared.receipts.missed()), (5, 15));
}

#[tokio::test]
async fn what_proves_an_account_is_not_kept_of_an_upgrade_either() {
    let shared = shared(Limits::default(), both());
    let open = open(Service::Http(responder::http::Service::default()), &shared).await;
    let mut stream = connect(PEER, open.address).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VjcmV0\r\nCookie: secret\r\n\
         Upgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.expect("sent");
    said(&mut stream).await;
    let kept = format!("{:?}", shared.receipts.all());
    assert!(kept.contains("(not kept)") && !kept.contains("c2VjcmV0") && !kept.contains("secret"), "{kept}");
}
