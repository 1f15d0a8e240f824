//! What follows the rows: what to do, what it means for the tasks, what was not tested, the totals, and the verdict.

use super::super::page::{Cell, Page, Paint};
use super::{MARK, distinct, mark, who};
use crate::model::code::Code;
use crate::model::finding::{Remedy, Status};
use crate::model::run::{Finding, Outcome, Run, TaskVerdict};

pub(super) fn write(page: &mut Page, run: &Run) {
    what_to_do(page, run);
    tasks(page, &run.tasks);
    not_tested(page, &run.outcomes);
    totals(page, &run.outcomes);
    verdict(page, &run.outcomes);
}

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
    let mut causes: Vec<Cause> = run.findings.iter().map(|finding| of_finding(finding, run)).collect();
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

fn of_finding<'a>(finding: &'a Finding, run: &Run) -> Cause<'a> {
    let explained = run.outcomes.iter().filter(|outcome| explains(finding, outcome));
    let same_code = explained.clone().filter(|outcome| outcome.code == finding.code);
    let heaviest = |status: &Status| status.weight();
    let status = same_code.map(|outcome| outcome.status).max_by_key(heaviest);
    let status = status.or_else(|| explained.map(|outcome| outcome.status).max_by_key(heaviest));
    Cause {
        status: status.unwrap_or(Status::Unknown),
        code: finding.code,
        checks: distinct(finding.outcomes.iter().map(String::as_str)),
        sentence: &finding.sentence,
        remedy: finding.remedy.as_ref(),
    }
}

fn what_to_do(page: &mut Page, run: &Run) {
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

fn tasks(page: &mut Page, tasks: &[TaskVerdict]) {
    if tasks.is_empty() {
        return;
    }
    page.heading("Tasks");
    let widest = tasks.iter().map(|task| page.columns(&task.task)).max().unwrap_or_default();
    for task in tasks {
        let lead = [
            Cell::new("  ", Paint::Plain),
            mark(page, task.status),
            Cell::new("  ", Paint::Plain),
            Cell::new(&task.task, Paint::Strong).padded(widest),
            Cell::new("  ", Paint::Plain),
        ];
        let served = match (&task.served_by, task.status) {
            (Some(check), _) => format!("served by {check}"),
            (None, Status::Skip) => "not tested from here".to_owned(),
            (None, Status::Fail) => "served by nothing".to_owned(),
            (None, _) => "not decided".to_owned(),
        };
        page.wrapped(&lead, 4 + MARK, &served, Paint::Plain);
        if !matches!(task.status, Status::Pass | Status::Skip) && !task.sentence.is_empty() {
            page.wrapped(&[Cell::new(" ".repeat(4 + MARK), Paint::Plain)], 4 + MARK, &task.sentence, Paint::Plain);
        }
    }
}

/// Skipped flows, those with one reason together.
fn not_tested(page: &mut Page, outcomes: &[Outcome]) {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.status == Status::Skip) {
        let reason = reason(page, outcome);
        match groups.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, checks)) => checks.push(&outcome.check),
            None => groups.push((reason, vec![&outcome.check])),
        }
    }
    if groups.is_empty() {
        return;
    }
    page.heading("Not tested from here");
    for (reason, checks) in groups {
        let lead = [Cell::new("  ", Paint::Plain), mark(page, Status::Skip), Cell::new("  ", Paint::Plain)];
        page.wrapped(&lead, 4 + MARK, &distinct(checks).join(", "), Paint::Strong);
        page.wrapped(&[Cell::new(" ".repeat(4 + MARK), Paint::Plain)], 4 + MARK, &reason, Paint::Plain);
    }
}

/// Why a flow was skipped. Flows of one other side have one reason, however many they are.
fn reason(page: &Page, outcome: &Outcome) -> String {
    if outcome.code == Code::NotTestableFromHere && !page.look().verbose {
        let role = &outcome.from;
        return format!("Opened by {role}: run the same check on that side (--side {role}).");
    }
    outcome.sentence.clone()
}

/// The statuses that occur, with their numbers.
fn totals(page: &mut Page, outcomes: &[Outcome]) {
    let order = [Status::Pass, Status::Warn, Status::Fail, Status::Error, Status::Unknown, Status::Skip];
    let counts: Vec<String> = order
        .into_iter()
        .filter_map(|status| {
            let count = outcomes.iter().filter(|outcome| outcome.status == status).count();
            (count > 0).then(|| format!("{count} {status}"))
        })
        .collect();
    page.blank();
    page.wrapped(&[], 0, &counts.join(" · "), Paint::Strong);
}

/// What it all means, in plain words; the last line that is written.
fn verdict(page: &mut Page, outcomes: &[Outcome]) {
    let of = |status: Status| outcomes.iter().filter(move |outcome| outcome.status == status).collect::<Vec<_>>();
    let (exposed, failed): (Vec<_>, Vec<_>) =
        of(Status::Fail).into_iter().partition(|outcome| outcome.code == Code::Exposed);
    let mut sentences = Vec::new();
    if !failed.is_empty() {
        let blocked = failed.iter().all(|outcome| is_block(outcome.code));
        let is = if blocked { ("is blocked", "are blocked") } else { ("does not work", "do not work") };
        sentences.push(count(&failed, "flow", is));
    }
    if !exposed.is_empty() {
        sentences.push(count(&exposed, "flow", ("is open but must be blocked", "are open but must be blocked")));
    }
    let (errors, unknown, warned) = (of(Status::Error), of(Status::Unknown), of(Status::Warn));
    if !errors.is_empty() {
        let trouble = ("ended with the tool's own trouble", "ended with the tool's own trouble");
        sentences.push(count(&errors, "check", trouble));
    }
    if !unknown.is_empty() {
        sentences.push(count(&unknown, "flow", ("could not be decided", "could not be decided")));
    }
    let passed = of(Status::Pass).len() + warned.len();
    let status = outcomes.iter().map(|outcome| outcome.status).max_by_key(|status| status.weight());
    if sentences.is_empty() {
        sentences.push(match (passed, warned.is_empty()) {
            (0, _) => "Nothing could be tested from here.".to_owned(),
            (_, true) => "Everything that can be tested from here works.".to_owned(),
            (_, false) => format!(
                "Everything that can be tested from here works, but look at {}.",
                distinct(warned.iter().map(|outcome| outcome.check.as_str())).join(", ")
            ),
        });
    }
    page.wrapped(&[], 0, &sentences.join(" "), Paint::of(status.unwrap_or(Status::Skip)));
}

/// Whether a failure with this code means that the flow itself does not get through.
fn is_block(code: Code) -> bool {
    matches!(
        code,
        Code::Dropped
            | Code::Rejected
            | Code::RefusedInPath
            | Code::LocalBlock
            | Code::ResetAfterConnect
            | Code::ResetOnPayload
            | Code::TlsDropped
            | Code::TlsReset
            | Code::ProxyDenied
            | Code::SqlInstancePortBlocked
            | Code::TftpTransferPortBlocked
    )
}

/// `2 flows are blocked: a, b.`
fn count(outcomes: &[&Outcome], thing: &str, (one, many): (&str, &str)) -> String {
    let checks = distinct(outcomes.iter().map(|outcome| outcome.check.as_str())).join(", ");
    match outcomes.len() {
        1 => format!("1 {thing} {one}: {checks}."),
        number => format!("{number} {thing}s {many}: {checks}."),
    }
}
