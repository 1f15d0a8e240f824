//! Tests of `sql`: the probe against the responder and against hostile peers, and the responder against FreeTDS and
//! tiberius. The responder refuses every login, so a login that succeeds is shown with a few bytes of a server below.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bothways::model::ask::{Ask, TlsExpectation, Trust};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Status, Who};
use bothways::model::probe::{Probe, Sql, SqlEncryption};
use bothways::model::secret::{Account, SecretSource};
use bothways::responder::sql::{Mode, Service};
use bothways::responder::{self, Certificate, Limits, Open, Peers, Receipts, Shared};
use bothways::wire::tds::prelogin::{Encryption, Prelogin, Version};
use bothways::wire::tds::{Kind, packets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::daemon::program;
use crate::support::hostile::{Hostile, Manner, closed_port, garbage};
use crate::support::{ask, run, run_within};

const SOON: Duration = Duration::from_millis(500);
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
    Arc::new(Shared {
        peers: Peers::loopback(),
        limits: Limits::default(),
        receipts: Receipts::new(Instant::now()),
        certificate: Certificate::for_names(&["localhost".to_owned()]).expect("a certificate"),
    })
}

async fn responder(encryption: Mode) -> (Open, Arc<Shared>) {
    let shared = shared();
    let service = Service { encryption, instance: "MIRADORE".to_owned(), ..Service::default() };
    let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let open = responder::open(responder::Service::Sql(service), address, Arc::clone(&shared)).await.expect("a port");
    (open, shared)
}

/// A server's PRELOGIN in its packet.
fn prelogin(encryption: Encryption, matches: bool) -> Vec<u8> {
    packets(Kind::Reply, &Prelogin::answer(VERSION, encryption, matches).encode())
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

// ---- hostile peers

#[tokio::test]
async fn a_silent_server_is_silent() {
    let peer = Hostile::tcp(Manner::Silent).await;
    let seen = run_within(&any(peer.address.port()), &[], SOON).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent));
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_closed_after_connect() {
    let peer = Hostile::tcp(Manner::Closing).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ClosedAfterConnect));
}

#[tokio::test]
async fn a_server_that_resets_at_once_is_a_reset() {
    let peer = Hostile::tcp(Manner::Resetting).await;
    let seen = run(&any(peer.address.port())).await;
    // Whether the reset is here before the question is sent is a matter of microseconds.
    assert!(matches!(seen.judgement.code, Code::ResetAfterConnect | Code::ResetOnPayload), "{:?}", seen.judgement);
}

#[tokio::test]
async fn a_server_that_resets_on_the_first_bytes_is_reset_on_payload() {
    let peer = Hostile::tcp(Manner::ResettingOnPayload).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ResetOnPayload));
}

#[tokio::test]
async fn an_http_server_on_the_port_is_not_tds_and_is_quoted() {
    let peer = Hostile::tcp(Manner::Saying(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlNotTds));
    assert!(seen.judgement.sentence.contains("HTTP/1.1 400"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn garbage_and_answers_that_prove_nothing_are_not_tds() {
    let no_version = packets(Kind::Reply, &Prelogin::default().with(1, [0]).encode());
    let options_outside = packets(Kind::Reply, &[0, 0, 200, 0, 6, 0xff]);
    let login_kind = packets(Kind::Login7, &Prelogin::answer(VERSION, Encryption::Off, true).encode());
    let shorter_than_itself = vec![4, 1, 0, 3, 0, 0, 0, 0];
    for bytes in [garbage(), no_version, options_outside, login_kind, shorter_than_itself] {
        let peer = Hostile::tcp(Manner::SayingThenSilent(bytes)).await;
        let seen = run(&any(peer.address.port())).await;
        assert_eq!(
            (seen.judgement.status, seen.judgement.code),
            (Status::Fail, Code::SqlNotTds),
            "{:?}",
            seen.evidence
        );
    }
}

#[tokio::test]
async fn half_an_answer_proves_nothing() {
    let mut half = prelogin(Encryption::Off, true);
    half.truncate(half.len() / 2);
    let closing = Hostile::tcp(Manner::Saying(half.clone())).await;
    assert_eq!(run(&any(closing.address.port())).await.judgement.code, Code::ClosedAfterConnect);
    let waiting = Hostile::tcp(Manner::SayingThenSilent(half)).await;
    let seen = run_within(&any(waiting.address.port()), &[], SOON).await;
    assert_eq!(seen.judgement.code, Code::Silent);
    assert!(seen.judgement.sentence.contains("did not finish"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_dripping_answer_runs_into_the_deadline() {
    let peer = Hostile::tcp(Manner::Dripping(prelogin(Encryption::Off, true))).await;
    let seen = run_within(&any(peer.address.port()), &[], SOON).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_and_not_tds() {
    let packet = [4, 0, 0x10, 0, 0, 0, 1, 0].into_iter().chain([0; 4088]).collect();
    let peer = Hostile::tcp(Manner::Endless(Vec::new(), packet)).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::SqlNotTds));
    let received = seen.evidence.number(Fact::ReceivedBytes).expect("counted");
    assert!(received < 200_000, "read {received} bytes");
}

#[tokio::test]
async fn tls_inside_packets_that_never_answers_is_no_pass() {
    let peer = Hostile::tcp(Manner::SayingThenSilent(prelogin(Encryption::On, true))).await;
    let seen = run_within(&any(peer.address.port()), &[], SOON).await;
    let stopped = seen.evidence.stopped_at().expect("a failed step");
    assert_eq!((stopped.kind, stopped.error), (StepKind::Tls, Some(Failure::TimedOut)));
    assert_ne!(seen.judgement.status, Status::Pass);
}

#[tokio::test]
async fn a_server_without_encryption_passes_where_none_is_wanted() {
    let peer = Hostile::tcp(Manner::SayingThenSilent(prelogin(Encryption::NotSupported, true))).await;
    let seen = run(&any(peer.address.port())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok));
    assert!(seen.judgement.sentence.contains("SQL Server 2019"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_closed_port_stops_at_the_connection() {
    let seen = run(&any(closed_port().await)).await;
    let stopped = seen.evidence.stopped_at().expect("a failed step");
    assert_eq!((stopped.kind, stopped.error), (StepKind::Connect, Some(Failure::Refused)));
}

// ---- logins

fn with_account(port: u16, domain: Option<&str>) -> (Ask, SecretSource) {
    let password = SecretSource::Env("A_PASSWORD".to_owned());
    let account =
        Account { user: "miradore".to_owned(), domain: domain.map(str::to_owned), password: password.clone() };
    (sql(Sql { account: Some(account), ..Sql::default() }, port), password)
}

async fn log_in(port: u16) -> crate::support::Seen {
    let (ask, password) = with_account(port, None);
    run_within(&ask, &[(password, "correct horse")], Duration::from_secs(5)).await
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn a_refused_login_says_that_the_network_is_fine_and_names_the_number() {
    for mode in [Mode::Offered, Mode::Required, Mode::Strict] {
        let (open, shared) = responder(mode).await;
        let seen = log_in(open.address.port()).await;
        let judgement = &seen.judgement;
        assert_eq!(
            (judgement.status, judgement.code),
            (Status::Fail, Code::SqlLoginFailed),
            "{mode:?}: {:?}",
            seen.evidence
        );
        assert_eq!(seen.evidence.number(Fact::LoginError), Some(18456));
        assert!(
            judgement.sentence.contains("is open") && judgement.sentence.contains("18456"),
            "{}",
            judgement.sentence
        );
        assert_eq!(judgement.remedy.as_ref().map(|remedy| remedy.who), Some(Who::Product));
        let kept = format!("{:?} {:?}", shared.receipts.all(), seen.evidence);
        assert!(!kept.contains("correct horse"), "{kept}");
        assert!(!format!("{:?}", shared.receipts.all()).contains("miradore"), "users are not kept");
    }
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

#[cfg(feature = "sql")]
#[tokio::test]
async fn a_windows_account_is_not_tried_and_the_sentence_says_so() {
    let (open, _) = responder(Mode::Offered).await;
    let (ask, password) = with_account(open.address.port(), Some("CORP"));
    let seen = run_within(&ask, &[(password, "x")], Duration::from_secs(5)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::NeedsCredentials));
    assert!(seen.judgement.sentence.contains("Windows account"), "{}", seen.judgement.sentence);
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn a_login_that_is_never_answered_is_silent_and_not_a_wrong_password() {
    // The first connection is the responder's, later ones are swallowed.
    let (open, _) = responder(Mode::Offered).await;
    let front = first_then_silence(open.address).await;
    let (ask, password) = with_account(front.port(), None);
    let seen = run_within(&ask, &[(password, "x")], Duration::from_millis(1000)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent), "{:?}", seen.evidence);
    assert!(seen.judgement.sentence.contains("left the login unanswered"), "{}", seen.judgement.sentence);
}

/// Passes the first connection on to `to`; holds the others and says nothing.
async fn first_then_silence(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.expect("a client");
        let mut server = TcpStream::connect(to).await.expect("the responder");
        let _ = tokio::io::copy_bidirectional(&mut first, &mut server).await;
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

// ---- the responder against clients that nobody here wrote

/// Runs FreeTDS' `tsql` with a login and gives what it said.
async fn tsql(port: u16, version: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("freetds.conf");
    std::fs::write(&config, format!("[global]\n\ttds version = {version}\n\tconnect timeout = 5\n")).expect("written");
    let mut command = Command::new(program("tsql", "freetds-bin"));
    command
        .args(["-H", "127.0.0.1", "-p", &port.to_string(), "-U", "miradore", "-P", "correct horse"])
        .env("FREETDSCONF", &config)
        .env("TDSVER", version)
        .stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("ran").expect("tsql starts");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn freetds_is_refused_properly_in_every_version_and_mode() {
    for (mode, version) in [
        (Mode::Offered, "7.4"),
        (Mode::Required, "7.4"),
        (Mode::NotSupported, "7.4"),
        (Mode::Offered, "7.1"),
        (Mode::Offered, "7.0"),
    ] {
        let (open, shared) = responder(mode).await;
        let said = tsql(open.address.port(), version).await;
        assert!(said.contains("18456") && said.contains("the way to it is open"), "{mode:?} {version}: {said}");
        let kept = format!("{:?}", shared.receipts.all());
        assert!(!kept.contains("correct horse") && !kept.contains("miradore"), "{kept}");
    }
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn tiberius_is_refused_properly_with_every_encryption() {
    use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
    use tokio_util::compat::TokioAsyncWriteCompatExt;

    for (mode, level) in [
        (Mode::Offered, EncryptionLevel::Off),
        (Mode::Offered, EncryptionLevel::On),
        (Mode::Offered, EncryptionLevel::NotSupported),
        (Mode::Required, EncryptionLevel::Required),
        (Mode::Strict, EncryptionLevel::Strict),
    ] {
        let (open, _) = responder(mode).await;
        let mut config = Config::new();
        config.host("localhost");
        config.encryption(level);
        config.trust_cert();
        config.authentication(AuthMethod::sql_server("miradore", "correct horse"));
        let stream = TcpStream::connect(open.address).await.expect("the responder");
        let error = Client::connect(config, stream.compat_write()).await.err().expect("a refusal");
        assert_eq!(error.code(), Some(18456), "{mode:?} {level:?}: {error}");
    }
}

#[tokio::test]
async fn the_responder_gives_strangers_of_the_protocol_nothing() {
    let (open, shared) = responder(Mode::Offered).await;
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), garbage(), vec![0x12, 1, 0, 3, 0, 0, 0, 0], vec![0x12; 70_000]] {
        let mut stream = TcpStream::connect(open.address).await.expect("the responder");
        let _ = stream.write_all(&bytes).await;
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert_eq!(said, b"");
    }
    assert!(shared.receipts.all().iter().all(|receipt| receipt.token.is_none()));
}
