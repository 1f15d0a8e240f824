//! One question whose answer need not repeat it: some name servers refuse with a header alone, which no resolver takes for
//! an answer, and which yet is one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::net::UdpSocket;

/// Set in the third byte of every answer (RFC 1035 4.1.1).
const IS_ANSWER: u8 = 0x80;

/// The code of a failure that is given without the question; nothing where the server answers in any other way, or not at all.
pub(super) async fn refusal(server: SocketAddr, host: &str) -> Option<ResponseCode> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_utf8(host).ok()?, RecordType::A));
    let question = question.to_vec().ok()?;
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&question).await.ok()?;
    let mut answer = [0; 512];
    loop {
        let length = socket.recv(&mut answer).await.ok()?;
        let [a, b, flags, low, count_high, count_low, ..] = &answer[..length] else { continue };
        if question.starts_with(&[*a, *b]) && flags & IS_ANSWER != 0 {
            let failed = low & 0x0f != 0 && [*count_high, *count_low] == [0, 0];
            return failed.then(|| ResponseCode::from_low(low & 0x0f));
        }
    }
}
