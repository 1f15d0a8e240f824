//! Outcomes to the run record: receipts matched, tasks and findings drawn up, the status summed.

use crate::diagnose::{fold, tasks};
use crate::model::fact::Fact;
use crate::model::finding::Status;
use crate::model::run::{Outcome, Receipt, Run, RunInfo, SCHEMA, Tool};

/// Draws up the record of a run.
#[must_use]
pub fn draw_up(info: RunInfo, mut outcomes: Vec<Outcome>, receipts: &[Receipt]) -> Run {
    for outcome in &mut outcomes {
        outcome.receipts = receipts.iter().filter(|receipt| belongs(receipt, outcome)).cloned().collect();
    }
    Run {
        schema: SCHEMA,
        tool: Tool { name: "bothways".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        run: info,
        status: sum(&outcomes),
        tasks: tasks::verdicts(&outcomes),
        findings: fold::findings(&outcomes),
        outcomes,
    }
}

/// The heaviest status of all outcomes; nothing tested is nothing known.
fn sum(outcomes: &[Outcome]) -> Status {
    let heaviest = outcomes.iter().map(|outcome| outcome.status).max_by_key(|status| status.weight());
    match heaviest {
        None | Some(Status::Skip) => Status::Unknown,
        Some(status) => status,
    }
}

/// A receipt belongs to the outcome whose token it shows, else to the one that spoke from its source address.
fn belongs(receipt: &Receipt, outcome: &Outcome) -> bool {
    let text = |fact: Fact| outcome.facts.get(fact.word()).and_then(serde_json::Value::as_str);
    match (&receipt.token, text(Fact::Token)) {
        (Some(token), Some(own)) => token == own,
        _ => text(Fact::LocalAddress).is_some_and(|local| same_port(local, &receipt.source)),
    }
}

/// A UDP socket that is bound to every address shows only its port.
fn same_port(local: &str, source: &str) -> bool {
    let split = |text: &str| text.parse::<std::net::SocketAddr>().ok();
    let (Some(local), Some(source)) = (split(local), split(source)) else { return false };
    local.port() == source.port() && (local.ip().is_unspecified() || local.ip() == source.ip())
}
