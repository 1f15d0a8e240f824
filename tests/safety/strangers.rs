//! Strangers get nothing, and take nothing from peers.

use bothways::responder::{Limits, Peers};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;

use super::*;

/// Datagrams that a peer gets an answer to.
fn questions() -> [&'static [u8]; 2] {
    [b"\x04MSSQLSERVER\0", b"\0\x01boot.wim\0octet\0blksize\x001024\0"]
}

#[tokio::test]
async fn a_stranger_is_closed_without_a_byte_and_without_a_receipt() {
    for case in over_tcp() {
        let shared = shared(Limits::default(), only_the_peer());
        let open = open(case.service.clone(), &shared).await;
        for first in [&b""[..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01"] {
            let mut stranger = connect(STRANGER, open.address).await;
            let _ = stranger.write_all(first).await;
            assert_eq!(said(&mut stranger).await, b"", "{}", case.name);
        }
        assert!(shared.receipts.all().is_empty(), "{}", case.name);
        assert_served(&case, &open, "strangers").await;
    }
}

#[tokio::test]
async fn a_strangers_datagrams_are_not_answered() {
    for (case, question) in over_udp().into_iter().zip(questions()) {
        let shared = shared(Limits::default(), only_the_peer());
        let open = open(case.service.clone(), &shared).await;
        let stranger = UdpSocket::bind((STRANGER, 0)).await.expect("a free port");
        for _ in 0..50 {
            stranger.send_to(question, open.address).await.expect("sent");
        }
        // The port answers in the order in which datagrams come, so theirs have been looked at once the peer has its answer.
        assert!(answer_to(question, PEER, open.address).await.is_some(), "{}", case.name);
        let answer = stranger.try_recv(&mut [0; 2048]);
        assert_eq!(answer.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock), "{}", case.name);
        assert!(shared.receipts.all().iter().all(|receipt| receipt.source.starts_with("127.0.0.1:")));
    }
}

#[tokio::test]
async fn with_no_peers_nobody_is_answered_until_somebody_is_admitted_and_not_after_it_left() {
    let peers = Peers::nobody();
    let shared = shared(Limits::default(), peers.clone());
    let case = &over_tcp()[2];
    let open = open(case.service.clone(), &shared).await;
    assert_eq!(said(&mut connect(PEER, open.address).await).await, b"");
    let admission = peers.admit(PEER.into());
    assert_served(case, &open, "its admission").await;
    drop(admission);
    assert_eq!(said(&mut connect(PEER, open.address).await).await, b"");
}

#[tokio::test]
async fn two_thousand_strangers_do_not_disturb_a_peer() {
    // With two places only, a stranger that took one would show.
    let limits = Limits { connections: 2, connections_overall: 2, ..Limits::default() };
    let shared = shared(limits, only_the_peer());
    let case = &over_tcp()[0];
    let open = open(case.service.clone(), &shared).await;
    let flood = (0..8).map(|_| {
        let address = open.address;
        tokio::spawn(async move {
            for _ in 0..250 {
                assert_eq!(said(&mut connect(STRANGER, address).await).await, b"");
            }
        })
    });
    let flood: Vec<_> = flood.collect();
    for _ in 0..10 {
        assert_served_again(case, &open, "a part of the flood").await;
    }
    for strangers in flood {
        strangers.await.expect("every stranger is closed");
    }
    assert!(shared.receipts.all().iter().all(|receipt| receipt.source.starts_with("127.0.0.1:")));
}

#[tokio::test]
async fn an_address_that_a_peer_only_named_gets_few_bytes_until_it_connects() {
    let peers = Peers::nobody();
    let shared = shared(Limits { unproved_bytes: 0, ..Limits::default() }, peers.clone());
    let named = Ipv4Addr::new(127, 0, 0, 3);
    let _guards = [peers.admit(PEER.into()), peers.admit_named(named.into())];
    let tcp = open(over_tcp()[2].service.clone(), &shared).await;
    for (case, question) in over_udp().into_iter().zip(questions()) {
        let open = open(case.service.clone(), &shared).await;
        let socket = UdpSocket::bind((named, 0)).await.expect("a free port");
        socket.send_to(question, open.address).await.expect("sent");
        assert!(answer_to(question, PEER, open.address).await.is_some(), "{}", case.name);
        let answer = socket.try_recv(&mut [0; 2048]);
        assert_eq!(answer.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock), "{}", case.name);
    }
    drop(connect(named, tcp.address).await);
    for (case, question) in over_udp().into_iter().zip(questions()) {
        let open = open(case.service.clone(), &shared).await;
        assert!(answer_to(question, named, open.address).await.is_some(), "{}", case.name);
    }
}
