//! Safety of the responders: what strangers get, what peers may use, and that they serve on whatever comes. Every row of the
//! limits in `docs/security.md` is held here: places, bytes, datagrams and receipts in [`bounds`]; idleness, slow, endless and
//! senseless talk in [`nonsense`]; strangers at the control channel in [`control`], at other ports in [`strangers`] and at the
//! door in [`door`]; turns, waiting, messages and codes of those who join in [`joined`]; scans and dialing in [`machine`]; memory
//! and descriptors in [`process`]. Pages, bodies and WebSocket messages are with their protocols.

mod bounds;
mod control;
mod door;
mod joined;
mod machine;
mod nonsense;
mod process;
mod strangers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::ask::{Ask, TlsExpectation, Trust};
use bothways::model::finding::Status;
use bothways::model::probe::{Http, Probe, Smb, Sql, SqlBrowser, Tcp, Tftp};
use bothways::responder::{self, Certificate, Limits, Open, Peers, Service, Shared};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::support::{self, Seen};

const PEER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// What is polled for comes within this time, or the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with what to ask of it.
#[derive(Clone)]
struct Case {
    name: &'static str,
    service: Service,
    probe: Probe,
}

fn over_tcp() -> Vec<Case> {
    let http = |https| Service::Http(responder::http::Service { https, ..Default::default() });
    let page = |https| Probe::Http(Http { https: Some(https), ..Http::default() });
    vec![
        Case { name: "http", service: http(false), probe: page(false) },
        Case { name: "https", service: http(true), probe: page(true) },
        Case {
            name: "tcp",
            service: Service::Tcp(responder::tcp::Service::default()),
            probe: Probe::Tcp(Tcp::default()),
        },
        Case {
            name: "sql",
            service: Service::Sql(responder::sql::Service::default()),
            probe: Probe::Sql(Sql::default()),
        },
        Case {
            name: "smb",
            service: Service::Smb(responder::smb::Service::default()),
            probe: Probe::Smb(Smb::default()),
        },
    ]
}

fn over_udp() -> Vec<Case> {
    let instances = vec![("MSSQLSERVER".to_owned(), 1433)];
    let browser = responder::sql_browser::Service { server: "DB1".to_owned(), instances };
    let asked = SqlBrowser { instance: Some("MSSQLSERVER".to_owned()) };
    vec![
        Case { name: "sql-browser", service: Service::SqlBrowser(browser), probe: Probe::SqlBrowser(asked) },
        Case {
            name: "tftp",
            service: Service::Tftp(responder::tftp::Service::default()),
            probe: Probe::Tftp(Tftp::default()),
        },
    ]
}

fn shared(limits: Limits, peers: Peers) -> Arc<Shared> {
    let certificate = Certificate::for_names(&["127.0.0.1".to_owned()]).expect("a certificate");
    Arc::new(Shared::within(limits, peers, certificate))
}

fn only_the_peer() -> Peers {
    Peers::only(vec![PEER.into()])
}

async fn open(service: Service, shared: &Arc<Shared>) -> Open {
    responder::open(service, SocketAddr::from((PEER, 0)), Arc::clone(shared)).await.expect("a free port")
}

fn ask(probe: &Probe, port: u16, from: Ipv4Addr) -> Ask {
    let mut ask = support::ask(probe.clone(), port);
    ask.tls = TlsExpectation { trust: Trust::Anyone, ..TlsExpectation::default() };
    ask.source = Some(IpAddr::V4(from));
    ask
}

/// Asks as the peer does.
async fn asked(case: &Case, open: &Open) -> Seen {
    support::run_within(&ask(&case.probe, open.address.port(), PEER), &[], PATIENCE).await
}

async fn assert_served(case: &Case, open: &Open, after: &str) {
    let seen = asked(case, open).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{} after {after}: {}", case.name, seen.judgement.sentence);
}

/// Asks until the peer is served: those who were there before may still be on their way out.
async fn assert_served_again(case: &Case, open: &Open, after: &str) {
    let deadline = Instant::now() + PATIENCE;
    while asked(case, open).await.judgement.status != Status::Pass {
        assert!(Instant::now() < deadline, "{} does not serve after {after}", case.name);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address of this machine");
    socket.connect(to).await.expect("an open port")
}

/// Everything that is said until the other end closes, resets included.
async fn said(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut said = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "still open after {said:?}");
    said
}

/// The first answer to a datagram that is sent over and over, and whence it was sent.
async fn answer_to(datagram: &[u8], from: Ipv4Addr, to: SocketAddr) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((from, 0)).await.expect("a free port");
    let mut buffer = vec![0; 65_536];
    for _ in 0..200 {
        socket.send_to(datagram, to).await.expect("sent");
        let received = tokio::time::timeout(Duration::from_millis(100), socket.recv(&mut buffer)).await;
        if let Ok(Ok(length)) = received {
            return Some(buffer[..length].to_vec());
        }
    }
    None
}
