//! One group of rows for each pair of roles, named by who opens the flow.

use super::super::page::{Cell, Page, Paint};
use super::{MARK, evidence, mark};
use crate::model::finding::Status;
use crate::model::flow::{Role, Transport};
use crate::model::run::{Outcome, Run};

/// Everything that was tested. Skipped flows come after the verdicts, in a section of their own.
pub(super) fn write(page: &mut Page, run: &Run) {
    let tested: Vec<&Outcome> = run.outcomes.iter().filter(|outcome| outcome.status != Status::Skip).collect();
    let columns = Columns::fit(page, &tested);
    for (from, to) in pairs(&tested) {
        page.heading(&format!("{from} opens → {to}"));
        for outcome in tested.iter().filter(|outcome| (&outcome.from, &outcome.to) == (from, to)) {
            row(page, columns, outcome);
        }
    }
}

/// The pairs of roles in order of first appearance.
fn pairs<'a>(outcomes: &[&'a Outcome]) -> Vec<(&'a Role, &'a Role)> {
    let mut pairs = Vec::new();
    for outcome in outcomes {
        let pair = (&outcome.from, &outcome.to);
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

/// How the parts of a row stand: side by side where they fit, one below the other where they don't.
#[derive(Debug, Clone, Copy)]
enum Columns {
    Aligned { check: usize, target: usize },
    Stacked,
}

impl Columns {
    const MARGIN: usize = 2;
    const GAP: usize = 2;

    fn fit(page: &Page, outcomes: &[&Outcome]) -> Self {
        let widest = |cell: fn(&Outcome) -> String| {
            outcomes.iter().map(|outcome| page.columns(&cell(outcome))).max().unwrap_or_default()
        };
        let (check, target) = (widest(|outcome| outcome.check.clone()), widest(target));
        let code = widest(|outcome| outcome.code.word().to_owned());
        let needed = Self::MARGIN + MARK + Self::GAP + check + Self::GAP + target + Self::GAP + code;
        if needed <= page.width() { Self::Aligned { check, target } } else { Self::Stacked }
    }

    /// Where the sentence below a row begins.
    fn indent(self) -> usize {
        match self {
            Self::Aligned { .. } => Self::MARGIN + MARK + Self::GAP,
            Self::Stacked => 2 * Self::MARGIN,
        }
    }
}

fn row(page: &mut Page, columns: Columns, outcome: &Outcome) {
    let margin = || Cell::new(" ".repeat(Columns::MARGIN), Paint::Plain);
    let gap = || Cell::new(" ".repeat(Columns::GAP), Paint::Plain);
    let code = Cell::new(outcome.code.word(), Paint::of(outcome.status));
    let (mark, indent) = (mark(page, outcome.status), columns.indent());
    match columns {
        Columns::Aligned { check, target: wide } => page.row(&[
            margin(),
            mark,
            gap(),
            Cell::new(&outcome.check, Paint::Strong).padded(check),
            gap(),
            Cell::new(target(outcome), Paint::Plain).padded(wide),
            gap(),
            code,
        ]),
        Columns::Stacked => {
            page.wrapped(&[margin(), mark, gap()], indent, &outcome.check, Paint::Strong);
            page.wrapped(&[Cell::new(" ".repeat(indent), Paint::Plain)], indent, &target(outcome), Paint::Plain);
            page.row(&[Cell::new(" ".repeat(indent), Paint::Plain), code]);
        }
    }
    let lead = [Cell::new(" ".repeat(indent), Paint::Plain)];
    page.wrapped(&lead, indent, &outcome.sentence, Paint::Plain);
    evidence::write(page, indent, outcome);
}

/// `host:port/transport`, with what is known of it.
fn target(outcome: &Outcome) -> String {
    let transport = match outcome.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    match (&outcome.target, outcome.port) {
        (Some(target), _) => format!("{target}/{transport}"),
        (None, Some(port)) => format!("port {port}/{transport}"),
        (None, None) => transport.to_owned(),
    }
}
