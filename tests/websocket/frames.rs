//! What comes after the upgrade: pings, texts, and everything that is neither.

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::{HOLD, SHORT, ask, assert_verdict, holding, peer, reset, stopped_at, upgrading};
use crate::support::{hostile, run, run_within};

#[tokio::test]
async fn an_independent_server_that_only_answers_pings_passes_also_after_idleness() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = accept_async(stream).await.expect("an upgrade");
        socket.send(Message::text("news of my own")).await.expect("sent");
        socket.send(Message::Ping("are you there".into())).await.expect("sent");
        let mut seen = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            seen.push(message);
        }
        seen
    });
    let seen = run(&holding(port, HOLD)).await;
    assert_verdict(&seen, Status::Pass, Code::Ok, &["answered a ping, also after 250ms"]);
    assert_eq!(seen.evidence.fact(Fact::Pushed), None);
    let messages = server.await.expect("no panic");
    assert!(
        messages.iter().all(|message| !message.is_text() && !message.is_binary()),
        "a stranger got data: {messages:?}"
    );
    assert!(matches!(messages.last(), Some(Message::Close(_))), "not closed politely: {messages:?}");
}

#[tokio::test]
async fn a_ping_without_an_answer_is_lost_frames() {
    let port = upgrading(|socket| async move {
        let _ = socket.into_inner().read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was not answered"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Reply, Some(Failure::TimedOut))));
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_lost_frames() {
    for bytes in
        [hostile::garbage(), b"HTTP/1.1 200 OK\r\n".repeat(6), vec![0x83, 0], vec![0x82, 0x7f, 0, 0, 0, 9, 0, 0, 0, 0]]
    {
        let port = upgrading(|socket| async move {
            let mut stream = socket.into_inner();
            let _ = stream.write_all(&bytes).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let seen = run(&ask(port)).await;
        assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["no WebSocket frames"]);
    }
}

#[tokio::test]
async fn a_connection_that_ends_after_the_upgrade_is_lost_frames() {
    let closing =
        upgrading(|mut socket| async move { while socket.get_mut().read_u8().await.is_ok_and(|byte| byte != 0x89) {} });
    let seen = run(&ask(closing.await)).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was answered by"]);
    let resetting = upgrading(|mut socket| async move {
        let _ = socket.next().await;
        reset(&socket);
    });
    let seen = run(&ask(resetting.await)).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was answered by a reset"]);
}

#[tokio::test]
async fn data_without_end_is_no_answer_to_a_ping() {
    let port = upgrading(|mut socket| async move { while socket.send(Message::text("news")).await.is_ok() {} }).await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a ping was not answered"]);
}

#[tokio::test]
async fn a_pong_to_another_ping_is_no_answer() {
    let port = upgrading(|mut socket| async move {
        let _ = socket.send(Message::Pong("unasked".into())).await;
        let _ = socket.into_inner().read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &[]);
}

#[tokio::test]
async fn a_close_frame_of_the_service_leaves_the_way_open() {
    let port = upgrading(|mut socket| async move {
        let frame = CloseFrame { code: CloseCode::Policy, reason: "who are you".into() };
        let _ = socket.close(Some(frame)).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let seen = run(&ask(port)).await;
    assert_verdict(&seen, Status::Warn, Code::ClosedAfterConnect, &["Close frame", "1008"]);
}

#[tokio::test]
async fn a_responder_whose_text_is_lost_is_lost_frames() {
    let port = peer(|mut stream, head| async move {
        stream.write_all(head.switching_with_token().as_bytes()).await.expect("sent");
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let seen = run_within(&ask(port), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsFramesLost, &["a text"]);
}
