//! Many that join one listener at once, with strangers at every port of it: each gets right answers, strangers get nothing.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::pair::{Listener, check, listen, verdict};
use super::{FLOWS, SERVER_SIDES};
use crate::support::namespaces::{Network, Node, SERVER};

const CROWD: usize = 16;
/// Connections that one stranger holds open on each port, without a request's end.
const HELD: usize = 50;

fn join(network: &Network, listener: &Listener) -> serde_json::Value {
    let hosts = [format!("server.host={SERVER}"), format!("boot-server.host={SERVER}")];
    check(network, Node::Client, listener, &["--side", "client", "--set", &hosts[0], "--set", &hosts[1]])
}

/// Whatever a stranger may do, until the end; the bytes that came back in datagrams.
async fn flood(end: &AtomicBool) -> usize {
    let at = |port: u16| SocketAddr::new(SERVER.parse().expect("an address"), port);
    let datagrams = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    datagrams.set_nonblocking(true).expect("a socket");
    let (mut back, mut held, mut buffer) = (0, std::collections::VecDeque::new(), [0; 2048]);
    while !end.load(Ordering::Relaxed) {
        for port in [80, 7443] {
            if let Ok(mut stream) = TcpStream::connect(at(port)).await {
                let _ = stream.write_all(b"GET /slow HTTP/1.1\r\nX: ").await;
                held.push_back(stream);
            }
        }
        while held.len() > 2 * HELD {
            held.pop_front();
        }
        for garbage in [&b"\0\x01boot.wim\0octet\0"[..], b"\xff\xff\xff", b"\x02"] {
            let _ = datagrams.send_to(garbage, at(69));
        }
        while let Ok(length) = datagrams.recv(&mut buffer) {
            back += length;
        }
        tokio::task::yield_now().await;
    }
    back
}

#[test]
fn a_crowd_that_joins_at_once_gets_right_answers_while_strangers_flood_the_listener() {
    let network = Network::new();
    let listener = listen(&network, Node::Server, &[&SERVER_SIDES[..], &["--control-port", "7443"]].concat());
    let (before, end) = (listener.resident_bytes(), AtomicBool::new(false));
    let (records, back) = std::thread::scope(|scope| {
        let strangers = scope.spawn(|| network.inside(Node::Router, || flood(&end)));
        let crowd: Vec<_> = (0..CROWD).map(|_| scope.spawn(|| join(&network, &listener))).collect();
        let records: Vec<_> = crowd.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        end.store(true, Ordering::Relaxed);
        (records, strangers.join().expect("strangers do not fail"))
    });
    let grown = listener.resident_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes more than before");
    assert_eq!(back, 0, "a stranger's datagrams were answered");
    for record in records {
        let record = record.expect("a record");
        for flow in FLOWS {
            assert_eq!(verdict(&record, flow), "pass ok -", "{flow}: {record:#}");
        }
        assert!(!record["run"]["peer"].is_null(), "it did not join");
    }
}
