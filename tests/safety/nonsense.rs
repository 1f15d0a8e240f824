//! Whatever comes, a responder serves the next one: garbage, half requests, endless ones, and one byte at a time.

use bothways::responder::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::*;
use crate::support::hostile::garbage;

/// Beginnings that some responder takes for its own protocol.
fn beginnings() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        garbage(),
        garbage().iter().copied().cycle().take(1 << 20).collect(),
        vec![0; 1 << 20],
        b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf".to_vec(),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        // A TLS record, a PRELOGIN, a login and an SMB frame that promise more than comes.
        [&b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"[..], &[7; 50]].concat(),
        b"\x12\x01\xff\xff\0\0\x01\0\0\0\xff\xff\xff".to_vec(),
        b"\x10\x01\x00\x30\0\0\x01\0\xff\xff\xff\xff".to_vec(),
        b"\0\0\xff\xff\xfeSMB".to_vec(),
        b"\0\0\0\x44\xfeSMB".to_vec(),
        [&b"\0\0\0\x40\xfeSMB\xff\xff"[..], &[0xff; 58]].concat(),
    ]
}

#[tokio::test]
async fn garbage_and_half_requests_do_not_keep_a_responder_from_serving() {
    for case in over_tcp() {
        let shared = shared(Limits { idle: Duration::from_millis(300), ..Limits::default() }, only_the_peer());
        let open = open(case.service.clone(), &shared).await;
        let mut still_open = Vec::new();
        for beginning in beginnings() {
            let mut left = connect(PEER, open.address).await;
            let _ = timeout(PATIENCE, left.write_all(&beginning)).await.expect("it is read, or closed");
            drop(left);
            let mut held = connect(PEER, open.address).await;
            let _ = timeout(PATIENCE, held.write_all(&beginning)).await.expect("it is read, or closed");
            still_open.push(held);
        }
        assert_served(&case, &open, "garbage").await;
        for mut held in still_open {
            said(&mut held).await;
        }
    }
}

#[tokio::test]
async fn garbage_in_datagrams_does_not_keep_a_responder_from_serving() {
    for case in over_udp() {
        let shared = shared(Limits::default(), only_the_peer());
        let open = open(case.service.clone(), &shared).await;
        let socket = UdpSocket::bind((PEER, 0)).await.expect("a free port");
        let mut datagrams = vec![Vec::new(), vec![0; 60_000], garbage().repeat(100)];
        datagrams.extend((0..=255).map(|first| vec![first, 1, 2, 3]));
        datagrams.extend([&b"\0\x01"[..], b"\0\x01a", b"\0\x01a\0", b"\0\x01a\0octet", b"\x04"].map(<[u8]>::to_vec));
        for datagram in datagrams {
            socket.send_to(&datagram, open.address).await.expect("sent");
        }
        assert_served_again(&case, &open, "garbage").await;
    }
}

/// What a client sends that never comes to the end of its request.
fn endless(name: &str) -> (&'static [u8], u8) {
    match name {
        "http" => (b"GET / HTTP/1.1\r\nX: ", b'x'),
        "https" => (b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03", 7),
        "sql" => (b"\x12\x01\xff\xff\0\0\x01\0", 0),
        "smb" => (b"\0\0\xff\xff\xfeSMB", 0),
        _ => (b"", b'x'),
    }
}

#[tokio::test]
async fn a_peer_that_sends_one_byte_at_a_time_is_cut_at_the_limit() {
    for case in over_tcp() {
        let limits = Limits {
            idle: Duration::from_millis(200),
            conversation: Duration::from_millis(400),
            connections: 1,
            ..Limits::default()
        };
        let shared = shared(limits, only_the_peer());
        let open = open(case.service.clone(), &shared).await;
        let (first, byte) = endless(case.name);
        let mut slow = connect(PEER, open.address).await;
        slow.write_all(first).await.expect("sent");
        let dripping = async {
            while slow.write_all(&[byte]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, dripping).await.is_ok(), "{} reads on for ever", case.name);
        assert_served_again(&case, &open, "a slow peer").await;
    }
}

/// What comes back while `more` is sent over and over, until the other end closes.
async fn flooded(open: &Open, first: &str, more: &str) -> String {
    let (mut reader, mut writer) = connect(PEER, open.address).await.into_split();
    writer.write_all(first.as_bytes()).await.expect("sent");
    let more = more.repeat(100);
    let flood = tokio::spawn(async move { while writer.write_all(more.as_bytes()).await.is_ok() {} });
    let answer = said(&mut reader).await;
    assert!(timeout(PATIENCE, flood).await.is_ok(), "it reads on for ever");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    for more in ["X-Header: 0123456789\r\n", "endless"] {
        let case = &over_tcp()[0];
        let open = open(case.service.clone(), &shared(Limits::default(), only_the_peer())).await;
        let answer = flooded(&open, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", more).await;
        // The reset may overtake the answer: far more is unread than is read away.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert_served(case, &open, "a flood of headers").await;
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let case = &over_tcp()[0];
    let shared = shared(Limits { request_bytes: 100_000, ..Limits::default() }, only_the_peer());
    let open = open(case.service.clone(), &shared).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = flooded(&open, head, "a\r\n0123456789\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let most = (64 << 20) as u64;
    assert!(shared.receipts.all().iter().all(|receipt| receipt.received_bytes < most));
    assert_served(case, &open, "an endless body").await;
}
