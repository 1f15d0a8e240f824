//! A file server that refuses what some Windows versions refuse: 3.1.1 with compression.

use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::wire::smb::frame::{self, Head};
use bothways::wire::smb::header::{self, Header};
use bothways::wire::smb::negotiate::{Context, Request};
use bothways::wire::smb::status;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::samba::{self, PASSWORD, Samba};
use super::{ask, expect};
use crate::support;

const COMPRESSION: u16 = 3;

async fn stand_before(samba: u16, mut client: TcpStream) -> std::io::Result<()> {
    let mut head = [0; frame::HEAD];
    client.read_exact(&mut head).await?;
    let mut message = vec![0; Head::decode(head).expect("a frame").length];
    client.read_exact(&mut message).await?;
    let offered = Request::decode(&message).expect("NEGOTIATE first").contexts;
    if offered.iter().any(|context| matches!(context, Context::Other { kind: COMPRESSION, .. })) {
        let refused = Header::decode(&message).expect("a header").answer(status::INVALID_PARAMETER);
        return client.write_all(&frame::message(&header::refusal(&refused))).await;
    }
    let mut server = TcpStream::connect(("127.0.0.1", samba)).await?;
    server.write_all(&frame::message(&message)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

#[tokio::test]
async fn a_server_that_refuses_compression_is_mapped_with_3_0_2() {
    let samba = Samba::start("");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let behind = samba.port;
    let picky = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(stand_before(behind, client));
        }
    });
    let ask = ask(port, Some("Setup"), Some(samba::account()));
    let seen = support::run_within(&ask, &[(samba::source(), PASSWORD)], super::LIMIT).await;
    picky.abort();
    expect(&seen, Status::Pass, Code::Ok);
    let notes: Vec<&str> = seen.evidence.steps.iter().filter_map(|step| step.note.as_deref()).collect();
    assert!(notes.contains(&"refused with 3.1.1; 3.0.2 is tried next"), "{notes:?}");
}
