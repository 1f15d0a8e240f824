//! Tests of `tcp`: a port that is open, and what can be proved of who accepted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status};
use bothways::model::probe::{Probe, Tcp};
use bothways::model::token::Token;
use bothways::responder::{self, Certificate, Limits, Open, Peers, Service, Shared, tcp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::daemon::{self, Daemon};
use crate::support::hostile::{self, Hostile, Manner};
use crate::support::namespaces::{Network, Node, SERVER};
use crate::support::{self, Seen, run, run_within};

const SHORT: Duration = Duration::from_millis(700);

fn accept_only(port: u16) -> Ask {
    support::ask(Probe::Tcp(Tcp::default()), port)
}

fn dialogue(port: u16, send: Option<&str>, expect: Option<&str>) -> Ask {
    let settings = Tcp { send: send.map(str::to_owned), expect: expect.map(str::to_owned) };
    support::ask(Probe::Tcp(settings), port)
}

fn verdict(seen: &Seen) -> (Status, Code) {
    (seen.judgement.status, seen.judgement.code)
}

fn shared(peers: Peers, limits: Limits) -> Arc<Shared> {
    Arc::new(Shared::within(limits, peers, Certificate::for_names(&["localhost".to_owned()]).expect("a certificate")))
}

async fn open(service: tcp::Service, shared: &Arc<Shared>) -> Open {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    responder::open(Service::Tcp(service), any, Arc::clone(shared)).await.expect("a free port")
}

/// nginx with one plain page.
fn nginx() -> (Daemon, u16) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = daemon::free_tcp_port();
    let root = folder.path().display();
    let settings = format!(
        "daemon off; user root; pid {root}/pid; error_log {root}/error.log; events {{}}\n\
         http {{ access_log off; client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root}; \
         uwsgi_temp_path {root}; scgi_temp_path {root};\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 'plain page'; }} }} }}\n"
    );
    std::fs::write(folder.path().join("nginx.conf"), settings).expect("a file");
    let mut command = std::process::Command::new(daemon::program("nginx", "nginx-light"));
    command.arg("-c").arg(folder.path().join("nginx.conf")).arg("-p").arg(folder.path());
    let mut nginx = daemon::start(&mut command, folder);
    nginx.wait_for_tcp(port);
    (nginx, port)
}

#[tokio::test]
async fn a_responder_is_proved_by_its_greeting_and_keeps_a_receipt() {
    let shared = shared(Peers::loopback(), Limits::default());
    let open = open(tcp::Service::default(), &shared).await;
    let seen = run(&accept_only(open.address.port())).await;
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
    assert!(seen.judgement.sentence.contains("responder"), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::SentBytes), Some(0), "a payload was sent");
    assert_eq!(seen.evidence.fact(Fact::Canary), None, "the greeting was proof enough");
    let receipt = first_receipt(&shared).await;
    assert_eq!(receipt.source, seen.evidence.text(Fact::LocalAddress).expect("a local address"));
    assert_eq!((receipt.received_bytes, receipt.sent_bytes), (0, Token::GREETING.len() as u64));
}

/// The first receipt, as soon as the responder has noticed the end of the conversation.
async fn first_receipt(shared: &Shared) -> bothways::model::run::Receipt {
    loop {
        if let Some(receipt) = shared.receipts.all().into_iter().next() {
            return receipt;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_responder_answers_a_payload_with_what_the_check_expects() {
    let shared = shared(Peers::loopback(), Limits::default());
    let open = open(tcp::Service { says: Some("PONG".to_owned()) }, &shared).await;
    let seen = run(&dialogue(open.address.port(), Some(r"PING bothways-0123456789abcdef\r\n"), Some("PONG"))).await;
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    let receipt = first_receipt(&shared).await;
    assert_eq!(receipt.token.as_deref(), Some("0123456789abcdef"));
    assert_eq!(receipt.asked.as_deref(), Some(r"PING bothways-0123456789abcdef\r\n"));
}

#[tokio::test]
async fn a_responder_closes_on_strangers_without_a_byte() {
    let shared = shared(Peers::only(vec![IpAddr::from([192, 0, 2, 1])]), Limits::default());
    let open = open(tcp::Service::default(), &shared).await;
    let mut stream = TcpStream::connect(open.address).await.expect("an open port");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.expect("a close");
    assert_eq!(said, b"");
    let seen = run(&accept_only(open.address.port())).await;
    assert_eq!(verdict(&seen), (Status::Warn, Code::ClosedAfterConnect), "{seen:?}");
}

#[tokio::test]
async fn a_responder_drops_a_peer_that_stays_idle_or_never_stops() {
    let limits = Limits { idle: Duration::from_millis(50), request_bytes: 100_000, ..Limits::default() };
    let shared = shared(Peers::loopback(), limits);
    let open = open(tcp::Service::default(), &shared).await;
    let mut idle = TcpStream::connect(open.address).await.expect("an open port");
    let mut said = Vec::new();
    idle.read_to_end(&mut said).await.expect("a close");
    assert_eq!(said, Token::GREETING.as_bytes());
    let mut endless = TcpStream::connect(open.address).await.expect("an open port");
    while endless.write_all(&[b'x'; 1000]).await.is_ok() {}
}

#[tokio::test]
async fn a_real_silent_server_passes_because_other_ports_refuse() {
    let (_nginx, port) = nginx();
    let seen = run(&accept_only(port)).await;
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    assert_eq!(seen.judgement.confidence, Confidence::Likely);
    assert_eq!(seen.evidence.text(Fact::Canary), Some("refused"));
    assert_eq!(seen.evidence.number(Fact::SentBytes), Some(0), "a payload was sent");
}

#[tokio::test]
async fn a_real_server_answers_a_payload() {
    let (_nginx, port) = nginx();
    let seen = run(&dialogue(port, Some(r"GET / HTTP/1.0\r\n\r\n"), Some("plain page"))).await;
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
}

#[tokio::test]
async fn a_real_server_that_answers_otherwise_is_another_service() {
    let (_nginx, port) = nginx();
    let seen = run(&dialogue(port, Some(r"EHLO x\r\n"), Some("250"))).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::WrongService), "{seen:?}");
    assert!(seen.judgement.sentence.contains("400 Bad Request") || seen.judgement.sentence.contains("<html>"));
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let seen = run(&accept_only(hostile::closed_port().await)).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::Refused), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_closes_at_once_leaves_the_way_open() {
    let peer = Hostile::tcp(Manner::Closing).await;
    let seen = run(&accept_only(peer.address.port())).await;
    assert_eq!(verdict(&seen), (Status::Warn, Code::ClosedAfterConnect), "{seen:?}");
    assert!(seen.judgement.sentence.contains(&peer.address.to_string()), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_that_closes_instead_of_answering_fails() {
    let peer = Hostile::tcp(Manner::Saying(Vec::new())).await;
    let seen = run(&dialogue(peer.address.port(), Some("hello"), Some("welcome"))).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::ClosedAfterConnect), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_resets_at_once_is_reset_after_connect() {
    let peer = Hostile::tcp(Manner::Resetting).await;
    let seen = run(&accept_only(peer.address.port())).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::ResetAfterConnect), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_resets_on_the_first_bytes_is_reset_on_payload() {
    let peer = Hostile::tcp(Manner::ResettingOnPayload).await;
    for expect in [None, Some("welcome")] {
        let seen = run(&dialogue(peer.address.port(), Some("hello"), expect)).await;
        assert_eq!(verdict(&seen), (Status::Fail, Code::ResetOnPayload), "{seen:?}");
    }
}

#[tokio::test]
async fn silence_where_an_answer_is_expected_is_silent() {
    let peer = Hostile::tcp(Manner::Silent).await;
    let seen = run_within(&dialogue(peer.address.port(), Some("hello"), Some("welcome")), &[], SHORT).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::Silent), "{seen:?}");
    let stopped = seen.evidence.stopped_at().expect("a failed step");
    assert_eq!((stopped.kind, stopped.error), (StepKind::Reply, Some(Failure::TimedOut)));
}

/// The port of a peer that speaks first, and then listens.
async fn greeting(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(words).await;
            tokio::spawn(async move { stream.read(&mut [0; 64]).await });
        }
    });
    port
}

#[tokio::test]
async fn a_banner_is_shown() {
    let port = greeting(b"mail\x07 ready\r\n").await;
    let seen = run(&accept_only(port)).await;
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    assert_eq!(seen.evidence.text(Fact::Banner), Some(r"mail\x07 ready\r\n"));
    let seen = run(&dialogue(port, None, Some("ready"))).await;
    assert_eq!((verdict(&seen), seen.judgement.confidence), ((Status::Pass, Code::Ok), Confidence::Proven));
}

#[tokio::test]
async fn a_greeting_of_a_well_known_service_is_no_proof_of_this_one() {
    let seen = run(&accept_only(greeting(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n").await)).await;
    assert_eq!(verdict(&seen), (Status::Warn, Code::WrongService), "{seen:?}");
    assert!(seen.judgement.sentence.contains("an SSH server listens there"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn another_text_and_then_silence_is_another_service() {
    let peer = Hostile::tcp(Manner::SayingThenSilent(b"SSH-2.0-x\r\n".to_vec())).await;
    let seen = run_within(&dialogue(peer.address.port(), Some("hello"), Some("welcome")), &[], SHORT).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::WrongService), "{seen:?}");
    assert!(seen.judgement.sentence.contains("SSH-2.0-x"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let peer = Hostile::tcp(Manner::Endless(b"a".to_vec(), hostile::garbage())).await;
    let seen = run(&dialogue(peer.address.port(), Some("hello"), Some("welcome"))).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::WrongService), "{seen:?}");
    assert_eq!(seen.evidence.stopped_at().and_then(|step| step.error), Some(Failure::Unexpected));
}

#[tokio::test]
async fn one_byte_a_second_is_not_the_expected_text_in_time() {
    let peer = Hostile::tcp(Manner::Dripping(b"welcome".to_vec())).await;
    let seen = run_within(&dialogue(peer.address.port(), Some("hello"), Some("welcome")), &[], SHORT).await;
    assert_eq!(verdict(&seen), (Status::Fail, Code::WrongService), "{seen:?}");
    assert_eq!(seen.evidence.text(Fact::Banner), Some("w"));
}

/// What the client sees of an open, silent port of a server behind a router rule.
fn seen_through(rule: &str) -> Seen {
    let network = Network::new();
    let listener = network.listen(Node::Server, SERVER);
    let ask = Ask { host: SERVER.to_owned(), ..accept_only(listener.local_addr().expect("bound").port()) };
    network.rule(Node::Router, "forward", &rule.replace("PORT", &ask.port.to_string()));
    network.inside(Node::Client, || async move { run(&ask).await })
}

#[test]
fn a_canary_that_is_dropped_vouches_for_the_port_that_accepts() {
    let seen = seen_through("ip saddr 10.9.1.2 tcp dport != PORT drop");
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    assert_eq!(seen.evidence.text(Fact::Canary), Some("timed-out"));
}

#[test]
fn a_canary_that_is_prohibited_vouches_for_the_port_that_accepts() {
    let seen = seen_through("ip saddr 10.9.1.2 tcp dport != PORT reject with icmp admin-prohibited");
    assert_eq!(verdict(&seen), (Status::Pass, Code::Ok), "{seen:?}");
    assert_eq!(seen.evidence.text(Fact::Canary), Some("rejected"));
}

#[test]
fn a_device_that_accepts_everything_is_unmasked() {
    let network = Network::new();
    let listener = network.listen(Node::Router, "10.9.1.1");
    let port = listener.local_addr().expect("bound").port();
    network.nat(Node::Router, &format!("ip daddr {SERVER} meta l4proto tcp redirect to :{port}"));
    let ask = Ask { host: SERVER.to_owned(), ..accept_only(32_227) };
    let seen = network.inside(Node::Client, || async move { run(&ask).await });
    assert_eq!(verdict(&seen), (Status::Warn, Code::AcceptedInPath), "{seen:?}");
    assert!(seen.judgement.sentence.contains("10.9.2.2:32227"), "{}", seen.judgement.sentence);
}

#[test]
fn a_canary_that_could_not_be_flown_leaves_the_accept_unproved() {
    let network = Network::new();
    let listener = network.listen(Node::Server, SERVER);
    let ask = Ask { host: SERVER.to_owned(), ..accept_only(listener.local_addr().expect("bound").port()) };
    network.rule(Node::Router, "forward", &format!("ip saddr 10.9.1.2 tcp dport != {} drop", ask.port));
    let seen = network.inside(Node::Client, || async move { run_within(&ask, &[], SHORT).await });
    assert_eq!(verdict(&seen), (Status::Warn, Code::Silent), "{seen:?}");
    assert!(seen.judgement.sentence.contains("something accepted"), "{}", seen.judgement.sentence);
}
