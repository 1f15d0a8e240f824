//! The answering half of SMB2: NEGOTIATE as a real server does it, then a proper refusal of every login (MS-SMB2 3.3.5).
//!
//! There are no users and no shares behind it: a client gets as far as a server that does not know it would let it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::metered::Metered;
use super::stream::Visit;
use crate::model::probe::Protocol;
use crate::model::run::Receipt;
use crate::wire::smb::frame::{self, Head, Kind};
use crate::wire::smb::header::{self, Header, command};
use crate::wire::smb::negotiate::{self, CAPABILITY_ENCRYPTION, Context, SIGNING_ENABLED, cipher, dialect};
use crate::wire::smb::session::{SetupRequest, SetupResponse};
use crate::wire::smb::{Guid, Malformed, ntlm, smb1, status};

/// Longer requests are not read: none of those answered here is.
const LONGEST: usize = 64 << 10;
/// The name by which it calls itself in logins.
const NAME: &str = "BOTHWAYS";
/// The number of the one session that a connection may begin.
const SESSION: u64 = 0x0B07_0000_0001;
/// 1601 to 1970 in seconds: the clocks of SMB and of Unix.
const EPOCHS_APART: u64 = 11_644_473_600;

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {}

pub(super) async fn answer(service: Service, visit: Visit) {
    let Service {} = service;
    let Visit { mut stream, from, at, shared, .. } = visit;
    let mut receipt = Some(shared.receipts.draft(Protocol::Smb, from, at));
    let mut received = 0;
    while let Some((kind, body)) = next(&mut stream, shared.limits.idle).await {
        received += (frame::HEAD + body.len()) as u64;
        let Ok(reply) = reply(kind, &body) else { break };
        if let Some(receipt) = receipt.take_if(|_| reply.asked.is_some()) {
            // Kept before the answer goes out, so that whoever has the answer finds the receipt.
            receipt.note(|receipt| {
                receipt.received_bytes = received;
                reply.fill(receipt);
            });
        } else if let Some(receipt) = &receipt {
            receipt.note(|receipt| receipt.received_bytes = received);
        }
        let Ok(Ok(())) = timeout(shared.limits.idle, stream.write_all(&reply.bytes)).await else { break };
    }
}

/// What goes back, and what the request was where a receipt should say so.
struct Reply {
    bytes: Vec<u8>,
    asked: Option<(String, Guid)>,
}

impl Reply {
    fn only(bytes: Vec<u8>) -> Self {
        Self { bytes, asked: None }
    }

    fn fill(&self, receipt: &mut Receipt) {
        if let Some((asked, client)) = &self.asked {
            receipt.asked = Some(asked.clone());
            receipt.token = client.token().map(|token| token.to_string());
        }
        receipt.sent_bytes = self.bytes.len() as u64;
    }
}

/// The next frame; none where the client is done, too slow, or not speaking SMB.
async fn next(stream: &mut Metered, idle: Duration) -> Option<(Kind, Vec<u8>)> {
    let reading = async {
        let mut head = [0; frame::HEAD];
        stream.read_exact(&mut head).await.ok()?;
        let head = Head::decode(head).ok().filter(|head| head.length <= LONGEST)?;
        let mut body = Vec::new();
        stream.take(head.length as u64).read_to_end(&mut body).await.ok()?;
        (body.len() == head.length).then_some((head.kind, body))
    };
    timeout(idle, reading).await.ok().flatten()
}

fn reply(kind: Kind, body: &[u8]) -> Result<Reply, Malformed> {
    match kind {
        Kind::SessionRequest => Ok(Reply::only(frame::encode(Kind::SessionAccepted, &[]))),
        Kind::KeepAlive => Ok(Reply::only(Vec::new())),
        Kind::Message if smb1::is_smb1(body) => smb1_reply(body),
        Kind::Message => smb2_reply(body),
        _ => Err(Malformed("only servers send this")),
    }
}

/// An SMB1 client that knows SMB2 as well is led there; any other is refused (MS-SMB2 3.3.5.3).
fn smb1_reply(body: &[u8]) -> Result<Reply, Malformed> {
    let offered = smb1::dialects(body)?;
    let offers = |name| offered.iter().any(|dialect| dialect == name);
    let chosen = if offers(smb1::SMB_2_WILDCARD) {
        dialect::SMB_2_WILDCARD
    } else if offers(smb1::SMB_2_0_2) {
        dialect::SMB_2_0_2
    } else {
        let asked = Some((format!("SMB1 NEGOTIATE {}", offered.join(", ")), Guid::default()));
        return Ok(Reply { bytes: frame::message(&smb1::response(smb1::NONE)), asked });
    };
    let head = Header { credits: 1, ..Header::default() }.answer(status::SUCCESS);
    Ok(Reply::only(frame::message(&choice(chosen, Guid::plain(), &[]).encode(&head))))
}

fn smb2_reply(body: &[u8]) -> Result<Reply, Malformed> {
    let head = Header::decode(body)?;
    if head.flags & header::FLAG_RESPONSE != 0 {
        return Err(Malformed("only servers send this"));
    }
    let message = match head.command {
        command::NEGOTIATE => return negotiate_reply(&head, body),
        command::SESSION_SETUP => login_reply(&head, body)?,
        _ => header::refusal(&head.answer(status::USER_SESSION_DELETED)),
    };
    Ok(Reply::only(frame::message(&message)))
}

fn negotiate_reply(head: &Header, body: &[u8]) -> Result<Reply, Malformed> {
    let request = negotiate::Request::decode(body)?;
    let best = request.dialects.iter().copied().filter(|offered| dialect::ALL.contains(offered)).max();
    let message = match best {
        Some(best) => {
            let guid = request.client.token().map_or_else(Guid::plain, |token| Guid::carrying(&token));
            choice(best, guid, &request.contexts).encode(&head.answer(status::SUCCESS))
        }
        None => header::refusal(&head.answer(status::NOT_SUPPORTED)),
    };
    let offered: Vec<String> = request.dialects.iter().map(|offered| dialect::name(*offered)).collect();
    let asked = Some((format!("NEGOTIATE {}", offered.join(", ")), request.client));
    Ok(Reply { bytes: frame::message(&message), asked })
}

/// A login begins as any NTLM login does, and ends refused.
fn login_reply(head: &Header, body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let request = SetupRequest::decode(body)?;
    let Some((ntlm::Message::Negotiate, asked)) = ntlm::find(&request.token) else {
        return Ok(header::refusal(&head.answer(status::LOGON_FAILURE)));
    };
    let random = uuid::Uuid::new_v4().into_bytes();
    let challenge = ntlm::challenge(random.first_chunk().copied().unwrap_or_default(), NAME);
    let bare = asked.len() == request.token.len();
    let token = if bare { challenge } else { ntlm::spnego::carry_on(&challenge) };
    let head = Header { session_id: SESSION, ..head.answer(status::MORE_PROCESSING_REQUIRED) };
    Ok(SetupResponse { flags: 0, token }.encode(&head))
}

fn choice(chosen: u16, server: Guid, offered: &[Context]) -> negotiate::Response {
    let salt = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    let cipher = offered.iter().find_map(|context| match context {
        Context::Encryption(ciphers) => {
            ciphers.iter().copied().find(|cipher| (cipher::AES_128_CCM..=cipher::AES_256_GCM).contains(cipher))
        }
        _ => None,
    });
    // As many bytes as came, which is at most one message.
    let padding: usize = offered.iter().map(Context::padded).sum();
    let padding = (padding > 0).then(|| Context::padding(padding));
    let preauth = Context::Preauth { hashes: vec![negotiate::SHA_512], salt };
    let encrypts = (dialect::SMB_3_0..=dialect::SMB_3_0_2).contains(&chosen);
    negotiate::Response {
        security_mode: SIGNING_ENABLED,
        dialect: chosen,
        server,
        capabilities: if encrypts { CAPABILITY_ENCRYPTION } else { 0 },
        max_transact: 1 << 16,
        max_read: 1 << 16,
        max_write: 1 << 16,
        system_time: now(),
        token: ntlm::spnego::offer(),
        contexts: [preauth]
            .into_iter()
            .chain(cipher.map(|cipher| Context::Encryption(vec![cipher])))
            .chain(padding)
            .collect(),
    }
}

fn now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_1970.as_secs() + EPOCHS_APART) * 10_000_000 + u64::from(since_1970.subsec_nanos()) / 100
}
