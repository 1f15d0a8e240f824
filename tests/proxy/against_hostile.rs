//! Our probe through proxies that misbehave.

use std::time::Duration;

use bothways::model::ask::ProxyAuth;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::probe::Http;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::support::hostile::{Hostile, Manner, closed_port, garbage};
use super::super::support::run_within;
use super::{LIMIT, https, plain, run, through, tunnelled};

#[tokio::test]
async fn a_proxy_that_is_not_there_is_unreachable() {
    let port = closed_port().await;
    for settings in [Http::default(), https()] {
        let seen = run(&through(port, ProxyAuth::None, None, 443, settings)).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyUnreachable));
        assert!(seen.judgement.sentence.contains(&format!("127.0.0.1:{port}")), "{}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn a_silent_proxy_is_silent() {
    let peer = Hostile::tcp(Manner::Silent).await;
    for (settings, kind) in [(Http::default(), StepKind::Reply), (https(), StepKind::Proxy)] {
        let ask = through(peer.address.port(), ProxyAuth::None, None, 443, settings);
        let seen = run_within(&ask, &[], Duration::from_millis(400)).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Silent));
        let step = seen.evidence.stopped_at().expect("a failed step");
        assert_eq!((step.kind, step.error), (kind, Some(Failure::TimedOut)));
        assert!(seen.judgement.sentence.contains("The proxy"), "{}", seen.judgement.sentence);
    }
}

#[tokio::test]
async fn proxies_that_break_off_or_speak_something_else_are_told_apart() {
    for (manner, code) in [
        (Manner::ResettingOnPayload, Code::ResetOnPayload),
        (Manner::Saying(Vec::new()), Code::ClosedAfterConnect),
        (Manner::Saying(garbage()), Code::WrongService),
        (Manner::Saying(b"HTTP/1.1 200 OK".to_vec()), Code::ClosedAfterConnect),
        (Manner::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".to_vec()), Code::WrongService),
    ] {
        let peer = Hostile::tcp(manner).await;
        for settings in [Http::default(), https()] {
            let seen = run(&through(peer.address.port(), ProxyAuth::None, None, 443, settings)).await;
            assert_eq!(
                (seen.judgement.status, seen.judgement.code),
                (Status::Fail, code),
                "{}",
                seen.judgement.sentence
            );
            assert!(seen.judgement.sentence.contains("The proxy"), "{}", seen.judgement.sentence);
        }
    }
}

#[tokio::test]
async fn statuses_that_refuse_a_tunnel_are_told_apart() {
    for (status, code) in [
        (400, Code::ProxyConnectRefused),
        (405, Code::ProxyConnectRefused),
        (301, Code::ProxyConnectRefused),
        (403, Code::ProxyDenied),
        (407, Code::ProxyAuthRequired),
        (502, Code::ProxyUpstreamFailed),
        (504, Code::ProxyUpstreamFailed),
    ] {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 9\r\n\r\n<h1> no ");
        let peer = Hostile::tcp(Manner::SayingThenSilent(answer.into_bytes())).await;
        let ask = through(peer.address.port(), ProxyAuth::None, None, 443, https());
        let seen = run_within(&ask, &[], LIMIT).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, code), "{status}");
        assert_eq!(seen.evidence.number(Fact::ProxyStatus), Some(status));
        assert_eq!(seen.evidence.text(Fact::Banner), Some("<h1> no"));
    }
}

#[tokio::test]
async fn a_tunnel_whose_first_bytes_come_with_the_200_loses_none() {
    let answer = b"HTTP/1.1 200 Connection established\r\n\r\nfirst words".to_vec();
    let peer = Hostile::tcp(Manner::Saying(answer)).await;
    let (steps, page, _) = tunnelled(&plain(peer.address.port(), 443), "").await;
    assert_eq!(steps, [(StepKind::Connect, None), (StepKind::Proxy, None)]);
    assert_eq!(page, "first words");
}

/// A proxy that closes after each answer: a challenge to strangers, a tunnel to nowhere for those who prove themselves.
async fn closing_proxy(challenge: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            let proved = buffer[..read].windows(9).any(|window| window == b"username=");
            let answer = if proved {
                "HTTP/1.1 200 OK\r\n\r\nnot the real service".to_owned()
            } else {
                format!(
                    "HTTP/1.1 407 No\r\nProxy-Authenticate: {challenge}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
            };
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[tokio::test]
async fn a_proxy_that_closes_after_its_digest_challenge_is_dialled_again() {
    let port = closing_proxy(r#"Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256"#).await;
    let ask = through(port, ProxyAuth::Digest, Some("user"), 443, Http::default());
    let (steps, page, _) = tunnelled(&ask, "secret").await;
    let kinds: Vec<StepKind> = steps.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [StepKind::Connect, StepKind::Proxy, StepKind::Connect, StepKind::Proxy]);
    assert_eq!(page, "not the real service");
}

#[cfg(feature = "smb")]
#[tokio::test]
async fn a_proxy_that_closes_in_the_middle_of_ntlm_is_not_dialled_again() {
    // A challenge as ntlm_fake_auth gives it: flags, eight bytes of challenge, empty names.
    let port = closing_proxy("NTLM TlRMTVNTUAACAAAAAAAAADgAAAAFggIAESIzRFVmd4gAAAAAAAAAAAAAAAAwAAAA").await;
    let seen = run(&through(port, ProxyAuth::Ntlm, Some("CORP\\user"), 443, https())).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ClosedAfterConnect));
    let connects = seen.evidence.steps.iter().filter(|step| step.kind == StepKind::Connect).count();
    assert_eq!(connects, 1);
}

#[cfg(not(feature = "smb"))]
#[tokio::test]
async fn ntlm_in_a_build_without_it_says_so() {
    let peer = Hostile::tcp(Manner::Silent).await;
    let seen = run(&through(peer.address.port(), ProxyAuth::Ntlm, Some("user"), 443, https())).await;
    assert_eq!(seen.judgement.status, Status::Unknown, "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.text(Fact::MissingFeature), Some("smb"));
}

#[tokio::test]
async fn a_password_that_is_not_there_is_said_so_before_anything_is_sent() {
    let peer = Hostile::tcp(Manner::Silent).await;
    let ask = through(peer.address.port(), ProxyAuth::Basic, Some("user"), 443, https());
    let seen = run_within(&ask, &[], LIMIT).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::ProxyAuthRequired));
    assert!(seen.judgement.sentence.contains("password"), "{}", seen.judgement.sentence);
    assert_eq!(seen.evidence.number(Fact::SentBytes), Some(0));
}
