//! The answering half of SQL Server Browser (MC-SQLR): the ports of the instances that this responder was told of.
//!
//! As with the real one, a name that is not there gets no answer. The protocol's answers are longer than its questions;
//! they only go to peers, and stay as short as the protocol allows.

use super::datagram::Letter;
use crate::model::probe::Protocol;
use crate::net::failure::of_io;
use crate::wire::sql_browser::{Instance, Question, encode};

/// What this responder answers as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The host's name as the answers give it.
    pub server: String,
    /// Instances with their TCP ports.
    pub instances: Vec<(String, u16)>,
}

/// What the answers give as every instance's version.
const VERSION: &str = "16.0.1000.0";

pub(super) async fn answer(service: Service, letter: Letter) {
    let receipt = letter.shared.receipts.draft(Protocol::SqlBrowser, letter.from, letter.at);
    let question = Question::decode(&letter.bytes);
    let asked = match &question {
        Some(Question::Everybody | Question::All) => "all instances".to_owned(),
        Some(Question::Instance(name)) => format!("instance {}", name.escape_debug()),
        None => "something else".to_owned(),
    };
    receipt.note(|receipt| {
        receipt.received_bytes = letter.bytes.len() as u64;
        receipt.asked = Some(asked);
    });
    let found = question.map(|question| service.found(&question)).unwrap_or_default();
    if !found.is_empty() {
        let answer = encode(&found);
        if letter.may_answer(answer.len()) {
            match letter.answer(&answer).await {
                Ok(sent) => receipt.note(|receipt| receipt.sent_bytes = sent as u64),
                Err(error) => receipt.note(|receipt| receipt.unsent = Some(of_io(&error).0)),
            }
        }
    }
}

impl Service {
    fn found(&self, question: &Question) -> Vec<Instance> {
        let asked = |name: &str| match question {
            Question::Everybody | Question::All => true,
            Question::Instance(asked) => asked.eq_ignore_ascii_case(name),
        };
        let described = |(name, port): &(String, u16)| Instance::on_port(&self.server, name, VERSION, *port);
        self.instances.iter().filter(|(name, _)| asked(name)).map(described).collect()
    }
}
