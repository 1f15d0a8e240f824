//! Many that join one listener at once, with strangers at every port of it: each gets right answers, strangers get nothing.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::pair::{Listener, check, listen, verdict};
use super::{FLOWS, SERVER_SIDES};
use crate::support::namespaces::{Network, Node, SERVER, SERVER_V6};

const CROWD: usize = 16;
/// Connections that strangers hold open on each port, without a request's end.
const HELD: usize = 50;
const CONTROL: u16 = 7443;
/// A port on which nothing listens.
const CLOSED: u16 = 7;

/// One of a crowd on the client's machine.
fn join(network: &Network, listener: &Listener, more: &[&str]) -> serde_json::Value {
    let hosts = [format!("server.host={SERVER}"), format!("boot-server.host={SERVER}")];
    let arguments = [&["--side", "client", "--set", &hosts[0], "--set", &hosts[1]], more].concat();
    check(network, Node::Client, listener, &arguments)
}

/// Strangers that do whatever they may, each in its turn, for as long as they are asked to.
#[derive(Default)]
struct Strangers {
    /// Connections that are held open, the oldest first.
    held: VecDeque<TcpStream>,
    /// Connections that are begun and left alone.
    begun: VecDeque<Socket>,
}

impl Strangers {
    /// Requests without an end, TLS without an end, and garbage.
    async fn hold_connections(&mut self, host: IpAddr) {
        let beginnings =
            [(80, &b"GET /slow HTTP/1.1\r\nX: "[..]), (CONTROL, b"\x16\x03\x01\x02\0\x01"), (CONTROL, b"\xff\0")];
        for (port, bytes) in beginnings {
            if let Ok(mut stream) = TcpStream::connect(SocketAddr::new(host, port)).await {
                let _ = stream.write_all(bytes).await;
                self.held.push_back(stream);
            }
        }
        let many = self.held.len().saturating_sub(2 * HELD);
        self.held.drain(..many);
    }

    /// Connection requests on which nothing follows.
    fn begin_connections(&mut self, host: IpAddr) {
        for port in [80, CONTROL, CLOSED] {
            let to = SocketAddr::new(host, port);
            let Ok(socket) = Socket::new(Domain::for_address(to), Type::STREAM, None) else { continue };
            if socket.set_nonblocking(true).is_ok() {
                let _ = socket.connect(&to.into());
                self.begun.push_back(socket);
            }
        }
        let many = self.begun.len().saturating_sub(2 * HELD);
        self.begun.drain(..many);
    }
}

/// Whatever strangers may do, until the end; the bytes that came back in datagrams.
async fn flood(end: &AtomicBool) -> usize {
    let datagrams = ["0.0.0.0:0", "[::]:0"].map(|at| {
        let socket = UdpSocket::bind(at).expect("a free port");
        socket.set_nonblocking(true).expect("a socket");
        socket
    });
    let (mut strangers, mut back, mut buffer) = (Strangers::default(), 0, [0; 2048]);
    while !end.load(Ordering::Relaxed) {
        for (host, socket) in [SERVER, SERVER_V6].iter().zip(&datagrams) {
            let host: IpAddr = host.parse().expect("an address");
            strangers.hold_connections(host).await;
            strangers.begin_connections(host);
            for port in [69, 1434] {
                for bytes in [&b"\0\x01boot.wim\0octet\0"[..], b"\x04MSSQLSERVER\0", b"\x02", b"\xff\xff\xff"] {
                    let _ = socket.send_to(bytes, SocketAddr::new(host, port));
                }
            }
            while let Ok(length) = socket.recv(&mut buffer) {
                back += length;
            }
        }
        tokio::task::yield_now().await;
    }
    back
}

#[test]
fn a_crowd_that_joins_at_once_gets_right_answers_while_strangers_flood_the_listener() {
    let network = Network::new();
    let listener = listen(
        &network,
        Node::Server,
        &[&SERVER_SIDES[..], &["--side", "sql-server", "--control-port", "7443"]].concat(),
    );
    let (before, end) = (listener.resident_bytes(), AtomicBool::new(false));
    let (records, back) = std::thread::scope(|scope| {
        let strangers = scope.spawn(|| network.inside(Node::Router, || flood(&end)));
        let crowd: Vec<_> = (0..CROWD).map(|_| scope.spawn(|| join(&network, &listener, &[]))).collect();
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

#[test]
fn of_many_short_checks_on_one_machine_each_has_its_port_answered_though_its_holder_ends() {
    let network = Network::new();
    let listener = listen(&network, Node::Server, &["--side", "server", "--control-port", "7443"]);
    let records: Vec<_> = std::thread::scope(|scope| {
        let crowd = (0..2 * CROWD).map(|_| scope.spawn(|| join(&network, &listener, &["--only", "wake-up-tcp"])));
        let crowd: Vec<_> = crowd.collect();
        crowd.into_iter().map(|one| one.join().expect("a record")).collect()
    });
    for record in records {
        assert_eq!(verdict(&record, "wake-up-tcp"), "pass ok -", "{record:#}");
    }
}
