//! The login and the query. The responder refuses every login, so one that is taken is shown with a small server in here.

use std::net::SocketAddr;
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::{Status, Who};
use bothways::net::tds::read_message;
use bothways::responder::sql::Mode;
use bothways::wire::tds::login::Login;
use bothways::wire::tds::prelogin::Encryption;
use bothways::wire::tds::{ALPN, Kind, packets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{log_in, prelogin, responder, shared, with_account};
use crate::support::run_within;

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

#[tokio::test]
async fn a_login_and_a_query_that_are_taken_pass_and_a_refused_query_does_not() {
    // DONE with a count of one row; and an error 229 with its DONE.
    let taken = vec![0xfd, 0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let refused = Login { version: 0x7400_0004, database: String::new() }.refuse(229, "SELECT was denied", "DB1");
    for (answer, status, code) in
        [(taken, Status::Warn, Code::SqlStrictOnly), (refused, Status::Fail, Code::SqlLoginFailed)]
    {
        let server = strict_server_that_logs_in(answer).await;
        let seen = log_in(server.port()).await;
        assert!(seen.evidence.holds(Fact::LoggedIn), "{:?}", seen.evidence);
        assert_eq!((seen.judgement.status, seen.judgement.code), (status, code), "{}", seen.judgement.sentence);
        assert!(seen.judgement.sentence.contains("took the login"), "{}", seen.judgement.sentence);
    }
}

/// A server with strict encryption that takes every login and answers every query with these tokens.
async fn strict_server_that_logs_in(tokens: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let shared = shared();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, tokens) = (shared.certificate.acceptor(&[ALPN]), tokens.clone());
            tokio::spawn(async move {
                // A question in the clear ends here.
                let mut stream = acceptor.accept(stream).await.ok()?;
                read_message(&mut stream, Kind::Prelogin, &mut Vec::new()).await.ok()?;
                stream.write_all(&prelogin(Encryption::Required, true)).await.ok()?;
                read_message(&mut stream, Kind::Login7, &mut Vec::new()).await.ok()?;
                // LOGINACK (TDS 7.4, a program without a name) and DONE.
                let taken = [0xad, 10, 0, 1, 0x74, 0, 0, 4, 0, 15, 0, 7, 208, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                stream.write_all(&packets(Kind::Reply, &taken)).await.ok()?;
                let mut query = [0; 4096];
                while stream.read(&mut query).await.ok()? > 0 {
                    stream.write_all(&packets(Kind::Reply, &tokens)).await.ok()?;
                }
                Some(())
            });
        }
    });
    address
}

#[tokio::test]
async fn a_windows_account_is_not_tried_and_the_sentence_says_so() {
    let (open, _) = responder(Mode::Offered).await;
    let (ask, password) = with_account(open.address.port(), Some("CORP"));
    let seen = run_within(&ask, &[(password, "x")], Duration::from_secs(5)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::NeedsCredentials));
    assert!(seen.judgement.sentence.contains("Windows account"), "{}", seen.judgement.sentence);
}

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
