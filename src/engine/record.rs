//! Outcomes to the run record: receipts matched, tasks and findings drawn up, the status summed.

use crate::diagnose::{both, fold, issuers, large_packets, same_host, schemes, tasks};
use crate::model::finding::Status;
use crate::model::run::{Outcome, Receipt, Run, RunInfo, SCHEMA, Tool};

/// Draws up the record of a run. Receipts that outcomes have already are kept.
#[must_use]
pub fn draw_up(info: RunInfo, mut outcomes: Vec<Outcome>, receipts: &[Receipt]) -> Run {
    for outcome in &mut outcomes {
        both::attach(outcome, receipts);
    }
    issuers::judge(&mut outcomes);
    same_host::explain(&mut outcomes);
    large_packets::tell(&mut outcomes);
    schemes::compare(&mut outcomes);
    Run {
        schema: SCHEMA,
        tool: Tool { name: "bothways".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        status: sum(&outcomes),
        tasks: tasks::verdicts(&outcomes),
        findings: fold::findings(&outcomes, &info),
        run: info,
        outcomes,
        sightings: None,
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
