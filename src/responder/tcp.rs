//! The answering half of plain TCP connections.
//!
//! It greets, because the asking half may not send anything ([`Token::GREETING`]); after a payload it says what the check
//! expects. A real service's clients that connect here find an open port and are otherwise left alone.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Limits;
use super::metered::Metered;
use super::receipts::Draft;
use super::stream::Visit;
use crate::model::probe::Protocol;
use crate::model::token::Token;

/// The systems acknowledge for their programs: what is not acknowledged by then has not come, however busy these are.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(1);

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// What to say once a payload came: the text that the check expects.
    pub says: Option<String>,
}

pub(super) async fn answer(service: Service, visit: Visit) {
    let Visit { mut stream, from, at, shared, .. } = visit;
    let receipt = shared.receipts.draft(Protocol::Tcp, from, at);
    let greeted = matches!(timeout(shared.limits.idle, stream.write_all(Token::GREETING.as_bytes())).await, Ok(Ok(())));
    if greeted {
        receipt.note(|receipt| receipt.sent_bytes = Token::GREETING.len() as u64);
        hear(&mut stream, &service, &shared.limits, &receipt).await;
    }
}

/// Reads until the peer ends or a limit is reached; the first bytes are kept, and answered once.
async fn hear(stream: &mut Metered, service: &Service, limits: &Limits, receipt: &Draft) {
    let mut buffer = [0; 4096];
    let mut received = 0;
    let mut first_look = Some(ACKNOWLEDGED_WITHIN.min(limits.idle));
    loop {
        let heard = match timeout(first_look.unwrap_or(limits.idle), stream.read(&mut buffer)).await {
            Err(_) if first_look.take().is_some() => {
                let acknowledged = stream.acknowledged();
                receipt.note(|receipt| {
                    receipt.unacknowledged = acknowledged.map(|bytes| receipt.sent_bytes.saturating_sub(bytes));
                });
                continue;
            }
            heard => heard,
        };
        let Ok(Ok(length @ 1..)) = heard else { return };
        let first = received == 0;
        received += length as u64;
        receipt.note(|receipt| receipt.received_bytes = received);
        if first {
            let text = String::from_utf8_lossy(&buffer[..length]);
            receipt.note(|receipt| {
                receipt.token = Token::find(&text).map(|token| token.to_string());
                receipt.asked = Some(buffer[..length.min(64)].escape_ascii().to_string());
            });
            if let Some(says) = &service.says {
                match timeout(limits.idle, stream.write_all(says.as_bytes())).await {
                    Ok(Ok(())) => receipt.note(|receipt| receipt.sent_bytes += says.len() as u64),
                    _ => return,
                }
            }
        }
        if received > limits.request_bytes {
            return;
        }
    }
}
