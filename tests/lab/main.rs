//! The fault lab: every scenario in a network of its own, with real firewalls and real servers, and what `bothways` must
//! say of every flow. `tests/lab/README.md` tells how to write a scenario; `tests/lab/run` runs them.

mod beside;
mod certificate;
mod enter;
mod network;
mod page;
mod placeholder;
mod play;
mod scenario;
mod service;
mod table;
mod topology;
mod verdict;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

use scenario::Scenario;
use table::Line;

/// Scenarios wait much more than they compute.
const AT_ONCE: usize = 12;

/// What `tests/lab/compare` gives instead of arguments, with the page to write and a part of scenarios' names.
const COMPARE: &str = "compare";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, COMPARE, page, filter] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return compare(page, filter);
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let possible = arguments.list || matches!(enter::enter(), enter::Place::Inside);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let trials = scenario::all().into_iter().map(|(name, scenario)| trial(name, scenario, possible, &lines)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let lines = lines.lock().map(|lines| lines.clone()).unwrap_or_default();
    print!("{}", table::table(lines));
    conclusion.exit_code()
}

fn compare(page: &str, filter: &str) -> ExitCode {
    if !matches!(enter::enter(), enter::Place::Inside) {
        eprintln!("No network can be made here: run this as root.");
        return ExitCode::FAILURE;
    }
    match std::fs::write(page, beside::compare(filter)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{page}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn trial(name: String, scenario: Result<Scenario, String>, possible: bool, lines: &Arc<Mutex<Vec<Line>>>) -> Trial {
    let (lines, title) = (Arc::clone(lines), name.clone());
    let needs_users = scenario.as_ref().is_ok_and(|scenario| scenario.services.iter().any(service::needs_users));
    let possible = possible && (!needs_users || enter::has_users());
    Trial::test(name, move || {
        let played = scenario.and_then(|scenario| Ok((play::play(&scenario)?, scenario.fault)));
        let (line, outcome) = judged(title, played);
        if let Ok(mut lines) = lines.lock() {
            lines.push(line);
        }
        outcome
    })
    .with_ignored_flag(!possible)
}

type Played = Result<((Vec<verdict::Row>, play::Played), String), String>;

/// The line of the table, and the result of the test.
fn judged(name: String, played: Played) -> (Line, Result<(), Failed>) {
    match played {
        Err(error) => {
            let failed = Failed::from(&error);
            (Line { name, fault: String::new(), rows: Vec::new(), error: Some(error) }, Err(failed))
        }
        Ok(((rows, played), fault)) => {
            let differing: Vec<_> = rows.iter().filter(|row| row.differs()).collect();
            let result = if differing.is_empty() {
                Ok(())
            } else {
                let flows = differing.iter().map(|row| row.of.split([' ', '@']).next().unwrap_or_default());
                let details = table::details(&played.record, &flows.collect::<Vec<_>>());
                Err(Failed::from(format!("{details}\n{}", played.log)))
            };
            (Line { name, fault, rows, error: None }, result)
        }
    }
}
