//! What the checks of one task say together: the first choice serves, a fallback serves with a warning.

use crate::model::code::Code;
use crate::model::finding::Status;
use crate::model::run::{Outcome, TaskVerdict};

/// One verdict for each task, in the order in which the outcomes first name it.
#[must_use]
pub fn verdicts(outcomes: &[Outcome]) -> Vec<TaskVerdict> {
    let mut names: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if !names.contains(&outcome.task.as_str()) {
            names.push(&outcome.task);
        }
    }
    names.into_iter().map(|task| verdict(task, outcomes)).collect()
}

/// The checks of one rank together.
struct Choice<'a> {
    checks: Vec<&'a str>,
    status: Status,
    sentence: &'a str,
    code: Code,
}

impl Choice<'_> {
    fn works(&self) -> bool {
        matches!(self.status, Status::Pass | Status::Warn)
    }

    fn name(&self) -> String {
        self.checks.join(", ")
    }
}

fn choice<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Option<Choice<'a>> {
    let outcomes: Vec<&Outcome> = outcomes.collect();
    let worst = outcomes.iter().max_by_key(|outcome| outcome.status.weight())?;
    let mut checks: Vec<&str> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.status != Status::Skip) {
        if !checks.contains(&outcome.check.as_str()) {
            checks.push(&outcome.check);
        }
    }
    Some(Choice { checks, status: worst.status, sentence: &worst.sentence, code: worst.code })
}

fn verdict(task: &str, outcomes: &[Outcome]) -> TaskVerdict {
    let of_task = || outcomes.iter().filter(|outcome| outcome.task == task);
    let Some(first) = choice(of_task().filter(|outcome| outcome.rank <= 1)) else {
        return single(task, choice(of_task()));
    };
    match choice(of_task().filter(|outcome| outcome.rank > 1)) {
        Some(fallback) => ranked(task, &first, &fallback),
        None => single(task, Some(first)),
    }
}

fn single(task: &str, choice: Option<Choice>) -> TaskVerdict {
    let Some(choice) = choice else {
        return make(task, Status::Skip, None, None, "No check serves this task.".to_owned());
    };
    let sentence = match choice.status {
        Status::Pass => format!("Works ({}).", choice.name()),
        _ => choice.sentence.to_owned(),
    };
    let code = (choice.status != Status::Pass && choice.status != Status::Skip).then_some(choice.code);
    let served_by = choice.works().then(|| choice.name());
    make(task, choice.status, served_by, code, sentence)
}

/// A first choice with a fallback behind it.
fn ranked(task: &str, first: &Choice, fallback: &Choice) -> TaskVerdict {
    match (first.status, fallback.status) {
        (Status::Skip, Status::Skip) => make(task, Status::Skip, None, None, first.sentence.to_owned()),
        (Status::Skip, _) => first_untested(task, first, fallback),
        (_, Status::Fail) if first.works() => {
            let sentence = format!("{} serves; its fallback does not work: {}", first.name(), fallback.sentence);
            make(task, Status::Warn, Some(first.name()), Some(fallback.code), sentence)
        }
        _ if first.works() => {
            let code = (first.status == Status::Warn).then_some(first.code);
            make(task, first.status, Some(first.name()), code, format!("{} serves.", first.name()))
        }
        (Status::Unknown, _) if fallback.works() => {
            let sentence = format!("The fallback {} works. Of the first choice: {}", fallback.name(), first.sentence);
            make(task, Status::Warn, Some(fallback.name()), Some(Code::FallbackInUse), sentence)
        }
        _ if fallback.works() => {
            let sentence =
                format!("Only the fallback {} works; the first choice does not: {}", fallback.name(), first.sentence);
            make(task, Status::Warn, Some(fallback.name()), Some(Code::FallbackInUse), sentence)
        }
        _ => make(task, first.status, None, Some(first.code), first.sentence.to_owned()),
    }
}

/// The first choice is for another side to test: what is known is of the fallback alone.
fn first_untested(task: &str, first: &Choice, fallback: &Choice) -> TaskVerdict {
    if fallback.works() {
        let sentence = format!("The fallback {} works. The first choice: {}", fallback.name(), first.sentence);
        return make(task, fallback.status, Some(fallback.name()), None, sentence);
    }
    let sentence = format!("The fallback does not work: {} The first choice: {}", fallback.sentence, first.sentence);
    make(task, Status::Warn, None, Some(fallback.code), sentence)
}

fn make(task: &str, status: Status, served_by: Option<String>, code: Option<Code>, sentence: String) -> TaskVerdict {
    TaskVerdict { task: task.to_owned(), status, served_by, code, sentence }
}
