//! The responder: against our own probe, and against Samba's client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::run::Receipt;
use bothways::responder::{self, Certificate, Open, Peers, Service, Shared};
use bothways::wire::smb::frame::{self, Head, Kind};
use bothways::wire::smb::header::{Header, command};
use bothways::wire::smb::negotiate::{self, dialect};
use bothways::wire::smb::session::SetupRequest;
use bothways::wire::smb::{Guid, smb1, status};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::samba::{self, PASSWORD};
use super::{ask, expect};
use crate::support::{self, daemon};

struct Responding {
    port: u16,
    shared: Arc<Shared>,
    _open: Open,
}

impl Responding {
    async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), 0, Peers::loopback()).await
    }

    async fn start_at(ip: IpAddr, port: u16, peers: Peers) -> Self {
        let shared =
            Arc::new(Shared::new(peers, Certificate::for_names(&["localhost".to_owned()]).expect("a certificate")));
        let service = Service::Smb(responder::smb::Service::default());
        let open = responder::open(service, SocketAddr::new(ip, port), Arc::clone(&shared)).await.expect("a port");
        Self { port: open.address.port(), shared, _open: open }
    }

    fn receipts(&self) -> Vec<Receipt> {
        self.shared.receipts.all()
    }

    async fn smbclient(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(daemon::program("smbclient", "smbclient"));
        command.args(["-p", &self.port.to_string(), "-s", "/dev/null", "-U", "someone%anything"]).args(arguments);
        command.stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let output = output.expect("smbclient runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection")
    }
}

async fn next(stream: &mut TcpStream) -> (Kind, Vec<u8>) {
    let mut head = [0; frame::HEAD];
    stream.read_exact(&mut head).await.expect("a head");
    let head = Head::decode(head).expect("a frame");
    let mut body = vec![0; head.length];
    stream.read_exact(&mut body).await.expect("a body");
    (head.kind, body)
}

async fn say(stream: &mut TcpStream, bytes: &[u8]) -> (Kind, Vec<u8>) {
    stream.write_all(bytes).await.expect("sent");
    next(stream).await
}

fn offer(dialects: &[u16]) -> Vec<u8> {
    let request = negotiate::Request {
        security_mode: negotiate::SIGNING_ENABLED,
        capabilities: 0,
        client: Guid([9; 16]),
        dialects: dialects.to_vec(),
        contexts: Vec::new(),
    };
    frame::message(&request.encode(&Header::request(command::NEGOTIATE, 0, 0)))
}

#[tokio::test]
async fn the_responder_is_known_by_the_token_and_keeps_a_receipt() {
    let responding = Responding::start().await;
    let ask = ask(responding.port, None, None);
    let seen = support::run(&ask).await;
    expect(&seen, Status::Pass, Code::Ok);
    assert!(seen.evidence.holds(Fact::Echoed));
    assert_eq!(seen.evidence.text(Fact::Dialect), Some("3.1.1"));
    let receipts = responding.receipts();
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(receipts[0].token.as_deref(), Some(ask.token.as_str()));
    assert_eq!(Some(receipts[0].source.as_str()), seen.evidence.text(Fact::LocalAddress));
    assert_eq!(receipts[0].asked.as_deref(), Some("NEGOTIATE 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1"));
    assert_eq!(Some(receipts[0].received_bytes), seen.evidence.number(Fact::SentBytes));
    assert_eq!(Some(receipts[0].sent_bytes), seen.evidence.number(Fact::ReceivedBytes));
}

#[tokio::test]
async fn a_responder_in_place_of_a_share_is_a_pass_that_says_so_with_and_without_an_account() {
    let responding = Responding::start().await;
    for account in [None, Some(samba::account())] {
        let ask = ask(responding.port, Some("Setup"), account);
        let seen = support::run_within(&ask, &[(samba::source(), PASSWORD)], super::LIMIT).await;
        expect(&seen, Status::Pass, Code::Ok);
        let said = &seen.judgement.sentence;
        assert!(said.contains("in place of the real share `Setup`"), "{said}");
    }
}

#[tokio::test]
async fn the_responder_answers_on_ipv6() {
    let responding = Responding::start_at(Ipv6Addr::LOCALHOST.into(), 0, Peers::loopback()).await;
    let mut ask = ask(responding.port, None, None);
    "::1".clone_into(&mut ask.host);
    let seen = support::run(&ask).await;
    expect(&seen, Status::Pass, Code::Ok);
}

#[tokio::test]
async fn samba_s_client_is_refused_properly_by_the_responder() {
    let responding = Responding::start().await;
    for protocol in ["SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"] {
        let said = responding.smbclient(&["//127.0.0.1/Setup", "-m", protocol, "-c", "ls"]).await;
        assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{protocol}: {said}");
    }
    let said = responding.smbclient(&["-L", "127.0.0.1"]).await;
    assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{said}");
    let receipts = responding.receipts();
    assert_eq!(receipts.len(), 6, "{receipts:?}");
    assert!(receipts.iter().all(|receipt| receipt.token.is_none()), "{receipts:?}");
    assert_eq!(receipts[4].asked.as_deref().map(|asked| asked.ends_with("3.1.1")), Some(true), "{receipts:?}");
}

#[tokio::test]
async fn samba_s_client_that_begins_with_smb1_is_led_to_smb2() {
    let responding = Responding::start().await;
    let older = ["--option=client min protocol=NT1", "--option=client max protocol=SMB3", "//127.0.0.1/Setup"];
    let said = responding.smbclient(&[&older[..], &["-c", "ls"]].concat()).await;
    assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{said}");
}

#[tokio::test]
async fn the_highest_common_dialect_is_chosen() {
    let responding = Responding::start().await;
    for newest in 1..=dialect::ALL.len() {
        let offered = &dialect::ALL[..newest];
        let (_, message) = say(&mut responding.connect().await, &offer(offered)).await;
        let response = negotiate::Response::decode(&message).expect("a choice");
        assert_eq!(Some(&response.dialect), offered.last());
        assert_eq!(response.server, Guid::plain());
    }
}

#[tokio::test]
async fn a_client_without_a_common_dialect_is_told_so() {
    let responding = Responding::start().await;
    let (_, message) = say(&mut responding.connect().await, &offer(&[0x0999])).await;
    assert_eq!(Header::decode(&message).map(|head| head.status), Ok(status::NOT_SUPPORTED));
}

#[tokio::test]
async fn a_client_of_smb1_only_is_refused_in_smb1() {
    let responding = Responding::start().await;
    let request = frame::message(&smb1::request(&[smb1::NT_LM_0_12]));
    let (_, message) = say(&mut responding.connect().await, &request).await;
    assert_eq!(smb1::chosen(&message), Ok(smb1::NONE));
}

#[tokio::test]
async fn a_login_that_is_no_ntlm_is_refused_and_everything_else_has_no_session() {
    let responding = Responding::start().await;
    let mut stream = responding.connect().await;
    say(&mut stream, &offer(&dialect::ALL)).await;
    let login = SetupRequest { security_mode: 1, token: b"kerberos".to_vec() };
    let login = login.encode(&Header::request(command::SESSION_SETUP, 1, 0));
    let (_, message) = say(&mut stream, &frame::message(&login)).await;
    assert_eq!(Header::decode(&message).map(|head| head.status), Ok(status::LOGON_FAILURE));
    let tree = bothways::wire::smb::session::tree_request(&Header::request(command::TREE_CONNECT, 2, 7), "host", "x");
    let (_, message) = say(&mut stream, &frame::message(&tree)).await;
    assert_eq!(Header::decode(&message).map(|head| head.status), Ok(status::USER_SESSION_DELETED));
}

#[tokio::test]
async fn garbage_ends_the_conversation_without_an_answer_but_with_a_receipt() {
    let responding = Responding::start().await;
    let mut stream = responding.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    // Unread bytes turn the close into a reset.
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    assert_eq!(responding.receipts().iter().map(|receipt| receipt.token.clone()).collect::<Vec<_>>(), [None]);
}

#[tokio::test]
async fn strangers_get_no_answer() {
    let nobody = Peers::only(Vec::new());
    let responding = Responding::start_at(Ipv4Addr::LOCALHOST.into(), 0, nobody).await;
    let seen = support::run(&ask(responding.port, None, None)).await;
    assert_eq!(seen.judgement.status, Status::Fail, "{:?}", seen.judgement);
    assert!(responding.receipts().is_empty());
}

/// 445 of this address is closed, 139 is the responder: the answer over NetBIOS explains, and replaces nothing.
#[tokio::test]
async fn port_139_is_asked_where_445_does_not_answer_and_the_failure_of_445_stays_in_sight() {
    let host = Ipv4Addr::new(127, 7, 0, 139);
    let _responding = Responding::start_at(host.into(), 139, Peers::loopback()).await;
    let mut ask = ask(445, Some("Setup"), None);
    ask.host = host.to_string();
    ask.source = Some(Ipv4Addr::LOCALHOST.into());
    let seen = support::run(&ask).await;
    assert!(seen.evidence.holds(Fact::NetbiosAnswers), "{:#?}", seen.evidence);
    assert_eq!(seen.judgement.status, Status::Fail, "{:?}", seen.judgement);
    assert!(seen.judgement.sentence.contains("TCP 139"), "{}", seen.judgement.sentence);
    let stopped = seen.evidence.stopped_at().expect("445 is closed");
    assert_eq!(stopped.address.as_deref(), Some("127.7.0.139:445"));
    assert!(seen.evidence.steps.iter().any(|step| step.address.as_deref() == Some("127.7.0.139:139")));
}

#[tokio::test]
async fn samba_behind_port_139_answers_after_a_netbios_session_request() {
    let samba = samba::Samba::start("");
    let listener = TcpListener::bind("127.7.0.141:139").await.expect("port 139 of an address of its own");
    let behind = samba.port;
    let netbios = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await?;
        let mut server = TcpStream::connect(("127.0.0.1", behind)).await?;
        copy_bidirectional(&mut client, &mut server).await
    });
    let mut ask = ask(445, None, None);
    "127.7.0.141".clone_into(&mut ask.host);
    let seen = support::run(&ask).await;
    netbios.abort();
    assert!(seen.evidence.holds(Fact::NetbiosAnswers), "{:#?}", seen.evidence);
    let notes: Vec<&str> = seen.evidence.steps.iter().filter_map(|step| step.note.as_deref()).collect();
    assert_eq!(notes, ["NetBIOS session request", "NEGOTIATE", "SMB 3.0.2"]);
}

#[tokio::test]
async fn a_host_with_neither_445_nor_139_is_judged_by_445() {
    let mut ask = ask(445, None, None);
    "127.7.0.140".clone_into(&mut ask.host);
    let seen = support::run(&ask).await;
    assert_eq!(seen.evidence.fact(Fact::NetbiosAnswers), Some(&false.into()));
    assert_eq!(seen.evidence.steps.len(), 1, "{:#?}", seen.evidence);
    assert!(!seen.judgement.sentence.contains("139"), "{}", seen.judgement.sentence);
}
