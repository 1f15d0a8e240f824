//! Tests of `sql_browser`: the probe against the responder and hostile peers, the responder against nmap.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::Failure;
use bothways::model::fact::Fact;
use bothways::model::finding::{Status, Who};
use bothways::model::probe::{Probe, SqlBrowser};
use bothways::responder::sql_browser::Service;
use bothways::responder::{self, Certificate, Open, Peers, Shared};
use tokio::net::UdpSocket;

use crate::support::daemon::program;
use crate::support::hostile::{Hostile, garbage};
use crate::support::{ask, run, run_within};

fn of(instance: &str, port: u16) -> Ask {
    ask(Probe::SqlBrowser(SqlBrowser { instance: Some(instance.to_owned()) }), port)
}

fn all(port: u16) -> Ask {
    ask(Probe::SqlBrowser(SqlBrowser::default()), port)
}

async fn responder_for(peers: Peers) -> (Open, Arc<Shared>) {
    let shared =
        Arc::new(Shared::new(peers, Certificate::for_names(&["localhost".to_owned()]).expect("a certificate")));
    let instances = vec![("MSSQLSERVER".to_owned(), 1433), ("MIRADORE".to_owned(), 49731)];
    let service = Service { server: "DB1".to_owned(), instances };
    let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let service = responder::Service::SqlBrowser(service);
    (responder::open(service, address, Arc::clone(&shared)).await.expect("a port"), shared)
}

async fn responder() -> (Open, Arc<Shared>) {
    responder_for(Peers::loopback()).await
}

/// An answer with this text.
fn answer(text: &str) -> Vec<u8> {
    let size = u16::try_from(text.len()).expect("short").to_le_bytes();
    [&[5][..], &size, text.as_bytes()].concat()
}

#[tokio::test]
async fn the_port_of_an_instance_is_found_whatever_its_case() {
    let (open, shared) = responder().await;
    let seen = run(&of("miradore", open.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok));
    assert!(seen.judgement.sentence.contains("49731"), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::InstancePort), Some(49731));
    assert_eq!(seen.evidence.number(Fact::Resends), Some(0));
    assert_eq!(shared.receipts.all()[0].asked.as_deref(), Some("instance miradore"));
}

#[tokio::test]
async fn all_instances_are_listed_where_none_is_named() {
    let (open, _) = responder().await;
    let seen = run(&all(open.address.port())).await;
    assert_eq!(seen.judgement.status, Status::Pass);
    assert!(
        seen.judgement.sentence.contains("MSSQLSERVER (TCP 1433), MIRADORE (TCP 49731)"),
        "{}",
        seen.judgement.sentence
    );
}

#[tokio::test]
async fn an_unknown_instance_is_told_from_a_silent_browser() {
    let (open, _) = responder().await;
    let seen = run(&of("OTHER", open.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlInstanceUnknown));
    assert!(seen.judgement.sentence.contains("MIRADORE"), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::Resends), Some(3), "three times the name, then all");
}

#[tokio::test]
async fn silence_is_unknown_and_ends_by_itself() {
    let peer = Hostile::udp(|_| Vec::new()).await;
    let seen = run_within(&of("MIRADORE", peer.address.port()), &[], Duration::from_secs(30)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Unknown, Code::SqlBrowserSilent));
    assert_eq!(seen.evidence.number(Fact::Resends), Some(4));
    let remedy = seen.judgement.remedy.expect("a remedy");
    assert!(remedy.text.starts_with("Allow UDP"), "{}", remedy.text);
}

#[tokio::test]
async fn a_lost_first_question_is_asked_again() {
    let peer = Hostile::udp({
        let seen = std::sync::atomic::AtomicUsize::new(0);
        move |_| match seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Vec::new(),
            _ => vec![answer("ServerName;DB1;InstanceName;MIRADORE;IsClustered;No;Version;15.0.2000.5;tcp;49731;;")],
        }
    })
    .await;
    let seen = run(&of("MIRADORE", peer.address.port())).await;
    assert_eq!(seen.judgement.status, Status::Pass);
    assert_eq!(seen.evidence.number(Fact::Resends), Some(1));
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    drop(socket);
    let seen = run(&of("MIRADORE", port)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Refused));
    assert_eq!(seen.evidence.stopped_at().and_then(|step| step.error), Some(Failure::Refused));
    assert_eq!(seen.judgement.remedy.map(|remedy| remedy.who), Some(Who::TargetHost));
}

#[tokio::test]
async fn an_instance_without_tcp_is_said_to_be_so() {
    let peer = Hostile::udp(|_| {
        vec![answer("ServerName;DB1;InstanceName;MIRADORE;IsClustered;No;Version;15.0.2000.5;np;\\\\DB1\\pipe\\x;;")]
    })
    .await;
    let seen = run(&of("MIRADORE", peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlInstanceUnknown));
    assert!(seen.judgement.sentence.contains("TCP/IP is turned off"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn an_answer_about_another_instance_does_not_pass_for_the_one_asked() {
    let peer = Hostile::udp(|_| {
        vec![answer("ServerName;DB1;InstanceName;OTHER;IsClustered;No;Version;15.0.2000.5;tcp;1433;;")]
    })
    .await;
    let seen = run(&of("MIRADORE", peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlInstanceUnknown));
    assert_eq!(seen.evidence.number(Fact::InstancePort), None);
}

#[tokio::test]
async fn garbage_and_answers_that_are_not_whole_are_another_service() {
    let whole = answer("ServerName;DB1;InstanceName;MIRADORE;tcp;49731;;");
    let truncated = whole[..whole.len() - 1].to_vec();
    let says_more = [&[5, 0xff, 0xff][..], &whole[3..]].concat();
    let nameless = answer("tcp;1433;;");
    for bytes in [garbage(), truncated, says_more, nameless, Vec::new()] {
        let peer = Hostile::udp({
            let bytes = bytes.clone();
            move |_| vec![bytes.clone()]
        })
        .await;
        let seen = run(&of("MIRADORE", peer.address.port())).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::WrongService), "{bytes:?}");
    }
}

#[tokio::test]
async fn an_answer_as_long_as_a_datagram_can_be_is_read() {
    let many: Vec<_> = (1..900).map(|n| format!("ServerName;DB1;InstanceName;I{n};IsClustered;No;tcp;{n};;")).collect();
    let text = many.concat() + "ServerName;DB1;InstanceName;MIRADORE;IsClustered;No;tcp;49731;;";
    let peer = Hostile::udp(move |_| vec![answer(&text)]).await;
    let seen = run(&of("MIRADORE", peer.address.port())).await;
    assert_eq!(seen.evidence.number(Fact::InstancePort), Some(49731));
}

#[tokio::test]
async fn an_answer_from_another_port_counts_and_is_pointed_out_but_a_strangers_noise_does_not() {
    let front = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let other = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let port = front.local_addr().expect("bound").port();
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 64];
        let (_, from) = front.recv_from(&mut buffer).await.expect("a question");
        other.send_to(b"noise", from).await.expect("sent");
        let text = "ServerName;DB1;InstanceName;MIRADORE;IsClustered;Yes;Version;15.0.2000.5;tcp;49731;;";
        other.send_to(&answer(text), from).await.expect("sent");
    });
    let seen = run(&of("MIRADORE", port)).await;
    answering.await.expect("answered");
    assert_eq!(seen.judgement.status, Status::Pass);
    assert!(seen.judgement.sentence.contains("not from the address that was asked"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn strangers_get_no_answer() {
    let (open, shared) = responder_for(Peers::only(vec!["192.0.2.1".parse().expect("an address")])).await;
    let seen = run_within(&all(open.address.port()), &[], Duration::from_millis(400)).await;
    assert_ne!(seen.judgement.status, Status::Pass);
    assert!(shared.receipts.all().is_empty());
}

#[tokio::test]
async fn questions_that_are_none_get_no_answer() {
    let (open, shared) = responder().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    for bytes in [&b""[..], b"\x01", b"\x04", b"\x04\0", b"\x0f\x01MIRADORE\0", b"\x03\x03"] {
        socket.send_to(bytes, open.address).await.expect("sent");
    }
    socket.send_to(b"\x04MSSQLSERVER\0", open.address).await.expect("sent");
    let mut buffer = [0; 2048];
    let (length, _) = socket.recv_from(&mut buffer).await.expect("an answer");
    assert!(
        String::from_utf8_lossy(&buffer[..length]).contains("tcp;1433"),
        "the first answer is to the last question"
    );
    assert!(shared.receipts.all().iter().filter(|receipt| receipt.sent_bytes > 0).count() == 1);
}

#[tokio::test]
async fn nmap_knows_the_responder_as_sql_browser() {
    let (open, _) = responder().await;
    // The whole list of probes takes most of a minute; the one that matters is enough.
    let list = std::fs::read_to_string("/usr/share/nmap/nmap-service-probes").expect("the Debian package nmap-common");
    let from = list.find("Probe UDP Sqlping").expect("nmap's own question to SQL Browser");
    let to = list[from..].find("\n###").map_or(list.len(), |end| from + end);
    let folder = tempfile::tempdir().expect("a folder");
    let probes = folder.path().join("probes");
    std::fs::write(&probes, format!("{}\n", &list[from..to])).expect("written");
    let mut command = Command::new(program("nmap", "nmap"));
    command.args(["-sU", "-sV", "--version-all", "-n", "-Pn", "--max-retries", "0", "--versiondb"]).arg(&probes);
    command.args(["-p", &open.address.port().to_string(), "-oX", "-", "127.0.0.1"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("ran").expect("nmap starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("name=\"ms-sql-m\"") && said.contains("DB1"), "{said}");
}
