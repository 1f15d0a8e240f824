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

/// How the parts of a row stand, by what fits.
#[derive(Debug, Clone, Copy)]
enum Columns {
    /// Everything on one line.
    Aligned { check: usize, target: usize },
    /// Check and code on one line, the target below.
    Paired { check: usize },
    /// One below the other.
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
        let paired = Self::MARGIN + MARK + Self::GAP + check + Self::GAP + code;
        match page.width() {
            width if paired + target + Self::GAP <= width => Self::Aligned { check, target },
            width if paired <= width => Self::Paired { check },
            _ => Self::Stacked,
        }
    }

    /// Where the sentence below a row begins.
    fn indent(self) -> usize {
        match self {
            Self::Aligned { .. } | Self::Paired { .. } => Self::MARGIN + MARK + Self::GAP,
            Self::Stacked => 2 * Self::MARGIN,
        }
    }
}

fn row(page: &mut Page, columns: Columns, outcome: &Outcome) {
    let blanks = |columns: usize| Cell::new(" ".repeat(columns), Paint::Plain);
    let (margin, gap, indent) = (blanks(Columns::MARGIN), blanks(Columns::GAP), columns.indent());
    let below = [blanks(indent)];
    let mark = mark(page, outcome.status);
    let check = Cell::new(&outcome.check, Paint::Strong);
    let code = Cell::new(outcome.code.word(), Paint::of(outcome.status));
    match columns {
        Columns::Aligned { check: wide, target: widest } => {
            let target = Cell::new(target(outcome), Paint::Plain).padded(widest);
            page.row(&[margin, mark, gap.clone(), check.padded(wide), gap.clone(), target, gap, code]);
        }
        Columns::Paired { check: wide } => {
            page.row(&[margin, mark, gap.clone(), check.padded(wide), gap, code]);
            page.wrapped(&below, indent, &target(outcome), Paint::Plain);
        }
        Columns::Stacked => {
            page.wrapped(&[margin, mark, gap], indent, &outcome.check, Paint::Strong);
            page.wrapped(&below, indent, &target(outcome), Paint::Plain);
            page.wrapped(&below, indent, outcome.code.word(), Paint::of(outcome.status));
        }
    }
    page.wrapped(&below, indent, &outcome.sentence, Paint::Plain);
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
