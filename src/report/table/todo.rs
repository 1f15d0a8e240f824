//! What to do: one entry for each cause, with the checks that it explains and who can remove it.

use super::super::page::{Cell, Page, Paint};
use super::{distinct, mark, who};
use crate::model::code::Code;
use crate::model::finding::{Remedy, Status};
use crate::model::run::{Finding, Outcome, Run};

/// One cause with everything that it explains.
struct Cause<'a> {
    status: Status,
    code: Code,
    checks: Vec<&'a str>,
    sentence: &'a str,
    remedy: Option<&'a Remedy>,
}

/// The findings, then remedies of outcomes that no finding took up: nothing that could be done is left out.
fn causes(run: &Run) -> Vec<Cause<'_>> {
    let told = |outcome: &Outcome| run.findings.iter().any(|finding| explains(finding, outcome));
    let left = run.outcomes.iter().filter(|outcome| outcome.status != Status::Skip && !told(outcome));
    let mut causes: Vec<Cause> = run.findings.iter().map(of_finding).collect();
    causes.extend(left.filter_map(|outcome| {
        let remedy = Some(outcome.remedy.as_ref()?);
        let checks = vec![outcome.check.as_str()];
        Some(Cause { status: outcome.status, code: outcome.code, checks, sentence: &outcome.sentence, remedy })
    }));
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.status.weight()));
    causes
}

fn explains(finding: &Finding, outcome: &Outcome) -> bool {
    finding.outcomes.contains(&outcome.check)
}

fn of_finding(finding: &Finding) -> Cause<'_> {
    Cause {
        status: finding.status,
        code: finding.code,
        checks: distinct(finding.outcomes.iter().map(String::as_str)),
        sentence: &finding.sentence,
        remedy: finding.remedy.as_ref(),
    }
}

pub(super) fn write(page: &mut Page, run: &Run) {
    let causes: Vec<Cause> = causes(run).into_iter().filter(|cause| cause.status != Status::Skip).collect();
    if causes.is_empty() {
        return;
    }
    page.heading("What to do");
    for (number, cause) in causes.iter().enumerate() {
        let lead = [
            Cell::new(format!("  {}. ", number + 1), Paint::Strong),
            mark(page, cause.status),
            Cell::new("  ", Paint::Plain),
            Cell::new(format!("{}: ", cause.code), Paint::of(cause.status)),
        ];
        page.wrapped(&lead, 5, &cause.checks.join(", "), Paint::Strong);
        page.wrapped(&[Cell::new("     ", Paint::Plain)], 5, cause.sentence, Paint::Plain);
        if let Some(remedy) = cause.remedy {
            let lead = Cell::new(format!("     {}: ", who(remedy.who)), Paint::Strong);
            page.wrapped(&[lead], 7, &remedy.text, Paint::Plain);
        }
    }
    page.wrapped(&[], 0, "More about a code: bothways explain CODE", Paint::Faint);
}
