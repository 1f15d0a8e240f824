//! The program itself, run as people and scripts run it: demo, check, Ctrl-C, and what goes where.

mod check;
mod demo;
mod interrupt;
mod mistakes;

use bothways::model::run::{Outcome, Run};

/// The record on stdout.
fn record(out: &str) -> Run {
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn outcomes<'r>(run: &'r Run, check: &str) -> Vec<&'r Outcome> {
    run.outcomes.iter().filter(|outcome| outcome.check == check).collect()
}
