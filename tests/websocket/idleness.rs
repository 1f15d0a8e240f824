//! The time without traffic, and what ends a connection in it.

use std::future::Future;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Lost, Status};
use bothways::model::span::Span;
use bothways::responder::Limits;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::{Client, HOLD, SHORT, assert_verdict, holding, passing_on, peer, reset, responder, stopped_at, upgrading};
use crate::support::{run, run_within};

#[tokio::test]
async fn a_reverse_proxy_that_closes_idle_connections_is_found() {
    let (open, _shared) = responder(Limits::default()).await;
    let (_nginx, port) = passing_on(open.address, "proxy_read_timeout 150ms;");
    let seen = run(&holding(port, Span::millis(900))).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["idle", "closed (FIN) after"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Hold, Some(Failure::Closed))));
    assert!(seen.evidence.number(Fact::DiedAfterMs).is_some());
}

/// A peer that answers the first ping and then does what the script says.
async fn answering_once<F: Future<Output = ()> + Send>(script: impl FnOnce(Client) -> F + Send + 'static) -> u16 {
    upgrading(|mut socket| async move {
        assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
        socket.flush().await.expect("sent");
        script(socket).await;
    })
    .await
}

#[tokio::test]
async fn a_connection_that_dies_while_idle_is_idle_killed() {
    let closed = answering_once(|_socket| async {}).await;
    let seen = run(&holding(closed, Span::seconds(2))).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["was closed (FIN) after"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Hold, Some(Failure::Closed))));

    let cut = answering_once(|socket| async move { reset(&socket) });
    let seen = run(&holding(cut.await, Span::seconds(2))).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["was cut by a reset after"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Hold, Some(Failure::Reset))));
    assert!(seen.evidence.number(Fact::DiedAfterMs).is_some_and(|millis| millis < 2000), "{seen:#?}");
}

#[tokio::test]
async fn a_connection_that_is_silently_dead_after_idleness_is_idle_killed() {
    let port = answering_once(|socket| async move {
        let _ = socket.into_inner().read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = run_within(&holding(port, HOLD), &[], SHORT).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["dead after 250ms", "without a sign"]);
    assert_eq!(stopped_at(&seen), Some((StepKind::Reply, Some(Failure::TimedOut))));
}

#[tokio::test]
async fn a_service_that_closes_idle_clients_is_said_to_do_so_itself() {
    let port = answering_once(|mut socket| async move {
        let _ = socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "idle".into() })).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let seen = run(&holding(port, Span::seconds(2))).await;
    assert_verdict(&seen, Status::Warn, Code::WsIdleKilled, &["itself", "1001"]);
}

#[tokio::test]
async fn a_time_that_is_over_before_the_idle_time_proves_nothing() {
    let (open, _shared) = responder(Limits::default()).await;
    let seen = run_within(&holding(open.address.port(), Span::seconds(60)), &[], SHORT).await;
    assert_verdict(&seen, Status::Unknown, Code::TimedOut, &["60s", "longer"]);
}

#[tokio::test]
async fn a_push_that_does_not_arrive_loses_the_reply_half() {
    let port = peer(|mut stream, head| async move {
        stream.write_all(head.switching_with_token().as_bytes()).await.expect("sent");
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await;
    let seen = run(&holding(port, HOLD)).await;
    assert_verdict(&seen, Status::Fail, Code::WsIdleKilled, &["250ms", "pushed did not arrive", "wake-up"]);
    assert_eq!(seen.judgement.lost, Some(Lost::Reply));
}
