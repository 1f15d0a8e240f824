//! Tests of `sql`: the probe against the responder. Beside it: hostile peers, logins, and clients that nobody here wrote.

mod clients;
mod hostile_peers;
#[cfg(feature = "sql")]
mod logins;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::ask::{Ask, TlsExpectation, Trust};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::probe::{Probe, Sql, SqlEncryption};
use bothways::model::secret::{Account, SecretSource};
use bothways::net::tds::Wrapped;
use bothways::net::tls;
use bothways::net::trace::Trace;
use bothways::responder::sql::{Mode, Service};
use bothways::responder::{self, Certificate, Open, Peers, Shared};
use bothways::wire::tds::prelogin::{Encryption, Prelogin, Version};
use bothways::wire::tds::{Kind, packets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::hostile::garbage;
use crate::support::{Seen, ask, run, run_within};

const VERSION: Version = Version { major: 15, minor: 0, build: 2000, sub_build: 0 };

fn sql(settings: Sql, port: u16) -> Ask {
    ask(Probe::Sql(settings), port)
}

fn any(port: u16) -> Ask {
    sql(Sql::default(), port)
}

fn wanting(encryption: SqlEncryption, port: u16) -> Ask {
    Ask {
        tls: TlsExpectation { trust: Trust::Anyone, ..TlsExpectation::default() },
        ..sql(Sql { encryption: Some(encryption), ..Sql::default() }, port)
    }
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared::new(Peers::loopback(), Certificate::for_names(&["localhost".to_owned()]).expect("a certificate")))
}

async fn responder(encryption: Mode) -> (Open, Arc<Shared>) {
    responder_as(Service { encryption, instance: "MIRADORE".to_owned(), ..Service::default() }).await
}

async fn responder_as(service: Service) -> (Open, Arc<Shared>) {
    let shared = shared();
    let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let open = responder::open(responder::Service::Sql(service), address, Arc::clone(&shared)).await.expect("a port");
    (open, shared)
}

/// A server's PRELOGIN in its packet.
fn prelogin(encryption: Encryption, matches: bool) -> Vec<u8> {
    packets(Kind::Reply, &Prelogin::default().answer(VERSION, encryption, matches).encode())
}

#[tokio::test]
async fn the_responder_answers_with_version_and_encryption_and_the_token_comes_back() {
    let (open, shared) = responder(Mode::Offered).await;
    let ask = any(open.address.port());
    let seen = run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.text(Fact::Version), Some("16.0.1000"));
    assert_eq!(seen.evidence.text(Fact::Encryption), Some("off"));
    assert!(seen.evidence.holds(Fact::Echoed));
    assert!(seen.evidence.passed(StepKind::Tls), "TLS inside packets: {:?}", seen.evidence.steps);
    let receipts = shared.receipts.all();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].token.as_deref(), Some(ask.token.as_str()));
    assert_eq!(receipts[0].asked.as_deref(), Some("PRELOGIN"));
    assert!(receipts[0].presented.is_some());
}

#[tokio::test]
async fn each_mode_of_encryption_shows_as_what_it_is() {
    for (mode, word, code) in [
        (Mode::Offered, "off", Code::Ok),
        (Mode::Required, "required", Code::Ok),
        (Mode::NotSupported, "not-supported", Code::Ok),
        (Mode::Strict, "strict", Code::SqlStrictOnly),
    ] {
        let (open, _) = responder(mode).await;
        let seen = run(&any(open.address.port())).await;
        assert_eq!(seen.evidence.text(Fact::Encryption), Some(word), "{mode:?}: {:?}", seen.evidence);
        assert_eq!(seen.judgement.code, code, "{mode:?}: {}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn a_strict_only_server_is_a_warning_with_the_setting_to_change() {
    let (open, shared) = responder(Mode::Strict).await;
    let ask = any(open.address.port());
    let seen = run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::SqlStrictOnly));
    assert!(seen.judgement.remedy.is_some_and(|remedy| remedy.text.contains("Encrypt=Strict")));
    assert!(seen.evidence.stopped_at().is_none(), "{:?}", seen.evidence.steps);
    let tokens: Vec<_> = shared.receipts.all().into_iter().map(|receipt| receipt.token).collect();
    assert!(tokens.contains(&Some(ask.token.to_string())), "the question inside TLS carries the token: {tokens:?}");
}

#[tokio::test]
async fn a_strict_only_server_that_leaves_a_clear_question_unanswered_is_found_as_well() {
    let (open, _) = responder(Mode::Strict).await;
    let front = silent_in_the_clear(open.address).await;
    let seen = run_within(&any(front.port()), &[], Duration::from_secs(10)).await;
    assert_eq!(
        (seen.judgement.status, seen.judgement.code),
        (Status::Warn, Code::SqlStrictOnly),
        "{:?}",
        seen.evidence
    );
}

/// Passes connections that begin with TLS on to `to`; says nothing on the others.
async fn silent_in_the_clear(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut first = [0];
                client.peek(&mut first).await.expect("a first byte");
                if first != [0x16] {
                    return std::future::pending().await;
                }
                let mut server = TcpStream::connect(to).await.expect("the responder");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn strict_encryption_that_is_wanted_and_there_passes() {
    for mode in [Mode::Strict, Mode::Offered] {
        let (open, _) = responder(mode).await;
        let seen = run(&wanting(SqlEncryption::Strict, open.address.port())).await;
        assert_eq!(
            (seen.judgement.status, seen.judgement.code),
            (Status::Pass, Code::Ok),
            "{}",
            seen.judgement.sentence
        );
        assert_eq!(seen.evidence.text(Fact::Encryption), Some("strict"));
    }
}

#[tokio::test]
async fn strict_encryption_that_the_server_lacks_is_a_mismatch_and_not_a_block() {
    let (open, _) = responder(Mode::NotSupported).await;
    let seen = run(&wanting(SqlEncryption::Strict, open.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlEncryptionMismatch));
    assert!(seen.judgement.sentence.contains("is open"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn required_encryption_that_the_server_has_passes_and_that_it_lacks_does_not() {
    for (mode, code) in
        [(Mode::Offered, Code::Ok), (Mode::Required, Code::Ok), (Mode::NotSupported, Code::SqlEncryptionMismatch)]
    {
        let (open, _) = responder(mode).await;
        let seen = run(&wanting(SqlEncryption::Required, open.address.port())).await;
        assert_eq!(seen.judgement.code, code, "{mode:?}: {}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn a_self_signed_certificate_fails_only_where_the_profile_demands_encryption() {
    let (open, _) = responder(Mode::Offered).await;
    assert_eq!(run(&any(open.address.port())).await.judgement.status, Status::Pass);
    let demanding = Ask { tls: TlsExpectation::default(), ..wanting(SqlEncryption::Required, open.address.port()) };
    let seen = run(&demanding).await;
    let stopped = seen.evidence.stopped_at().expect("a failed step");
    assert_eq!((stopped.kind, stopped.error), (StepKind::Tls, Some(Failure::TlsUntrusted)));
}

#[tokio::test]
async fn the_instance_is_compared_by_the_server() {
    let (open, shared) = responder(Mode::Offered).await;
    let of = |name: &str| sql(Sql { instance: Some(name.to_owned()), ..Sql::default() }, open.address.port());
    let right = run(&of("miradore")).await;
    assert_eq!(right.judgement.status, Status::Pass);
    assert!(right.evidence.holds(Fact::InstanceMatches));
    let wrong = run(&of("OTHER")).await;
    assert_eq!((wrong.judgement.status, wrong.judgement.code), (Status::Fail, Code::SqlInstanceUnknown));
    assert!(wrong.judgement.sentence.contains("OTHER"), "{}", wrong.judgement.sentence);
    assert_eq!(shared.receipts.all()[1].asked.as_deref(), Some("PRELOGIN for instance OTHER"));
}

#[tokio::test]
async fn tls_in_packets_survives_a_wire_that_takes_five_bytes_at_a_time() {
    let (near, far) = tokio::io::duplex(5);
    let shared = shared();
    let serving = tokio::spawn(async move {
        let mut stream = shared.certificate.acceptor(&[]).accept(Wrapped::new(far)).await.expect("a handshake");
        stream.write_all(&garbage()).await.expect("sent");
        stream.flush().await.expect("sent");
    });
    let trace = Trace::new(Instant::now());
    let anyone = TlsExpectation { trust: Trust::Anyone, ..TlsExpectation::default() };
    let wrapped = Box::new(Wrapped::new(near));
    let mut client = tls::handshake(wrapped, "localhost", &anyone, &[], &trace).await.expect("a handshake");
    let mut got = vec![0; garbage().len()];
    client.read_exact(&mut got).await.expect("received");
    assert_eq!(got, garbage());
    serving.await.expect("no panic");
}

fn with_account(port: u16, domain: Option<&str>) -> (Ask, SecretSource) {
    let password = SecretSource::Env("A_PASSWORD".to_owned());
    let account =
        Account { user: "miradore".to_owned(), domain: domain.map(str::to_owned), password: password.clone() };
    (sql(Sql { account: Some(account), ..Sql::default() }, port), password)
}

async fn log_in(port: u16) -> Seen {
    let (ask, password) = with_account(port, None);
    run_within(&ask, &[(password, "correct horse")], Duration::from_secs(5)).await
}

#[cfg(not(feature = "sql"))]
#[tokio::test]
async fn without_the_driver_the_login_is_reported_as_not_built() {
    let (open, _) = responder(Mode::Offered).await;
    let seen = log_in(open.address.port()).await;
    assert_eq!(seen.evidence.stopped_at().and_then(|step| step.error), Some(Failure::NotBuilt));
    assert_eq!(seen.evidence.text(Fact::MissingFeature), Some("sql"));
    assert_eq!(seen.judgement.status, Status::Warn);
}

#[tokio::test]
async fn a_password_is_not_sent_to_a_server_without_encryption() {
    let (open, shared) = responder(Mode::NotSupported).await;
    let (ask, password) = with_account(open.address.port(), None);
    let seen = run_within(&ask, &[(password, "correct horse")], Duration::from_secs(5)).await;
    if cfg!(feature = "sql") {
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::SqlEncryptionMismatch));
    }
    assert_eq!(shared.receipts.all().len(), 1, "one connection, for PRELOGIN");
}
