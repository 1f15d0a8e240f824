//! What it all means: task by task, in numbers, and in one line.

use super::super::page::{Cell, Page, Paint};
use super::{MARK, distinct, mark, skipped};
use crate::model::code::Code;
use crate::model::finding::Status;
use crate::model::run::{Outcome, Run, TaskVerdict};

pub(super) fn tasks(page: &mut Page, run: &Run) {
    if run.tasks.is_empty() {
        return;
    }
    page.heading("Tasks");
    let widest = run.tasks.iter().map(|task| page.columns(&task.task)).max().unwrap_or_default();
    for task in &run.tasks {
        let lead = [
            Cell::new("  ", Paint::Plain),
            mark(page, task.status),
            Cell::new("  ", Paint::Plain),
            Cell::new(&task.task, Paint::Strong).padded(widest),
            Cell::new("  ", Paint::Plain),
        ];
        page.wrapped(&lead, 4 + MARK, &served(task, &run.outcomes), Paint::Plain);
        // What a row above says already is not said again.
        let said = run.outcomes.iter().any(|outcome| outcome.sentence == task.sentence);
        if !said && !task.sentence.is_empty() && !matches!(task.status, Status::Pass | Status::Skip) {
            page.wrapped(&[Cell::new(" ".repeat(4 + MARK), Paint::Plain)], 4 + MARK, &task.sentence, Paint::Plain);
        }
    }
}

fn served(task: &TaskVerdict, outcomes: &[Outcome]) -> String {
    let mut own = outcomes.iter().filter(|outcome| outcome.task == task.task).peekable();
    let needless = own.peek().is_some() && own.all(skipped::is_not_needed);
    let code = task.code.map(|code| format!(" ({code})")).unwrap_or_default();
    match (&task.served_by, task.status) {
        (Some(check), _) => format!("served by {check}{code}"),
        (None, Status::Skip) if needless => "not needed".to_owned(),
        (None, Status::Skip) => "not tested from here".to_owned(),
        (None, Status::Fail) => format!("served by nothing{code}"),
        (None, _) => format!("not decided{code}"),
    }
}

/// The statuses that occur, with their numbers.
pub(super) fn totals(page: &mut Page, outcomes: &[Outcome]) {
    let order = [Status::Pass, Status::Warn, Status::Fail, Status::Error, Status::Unknown, Status::Skip];
    let counts: Vec<String> = order
        .into_iter()
        .filter_map(|status| {
            let count = outcomes.iter().filter(|outcome| outcome.status == status).count();
            (count > 0).then(|| format!("{count}\u{a0}{status}"))
        })
        .collect();
    page.blank();
    page.wrapped(&[], 0, &counts.join(" · "), Paint::Strong);
}

/// What it all means, in plain words; the last line that is written.
pub(super) fn verdict(page: &mut Page, outcomes: &[Outcome]) {
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
