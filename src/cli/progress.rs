//! How far a run is, on stderr: only on a terminal, and never in a build server's log.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::colour;
use crate::engine::observer::Observer;
use crate::model::finding::Status;
use crate::report::plain;

/// Whoever should watch a run of this many checks: a bar where people look on, else nobody.
pub(super) fn observer(checks: usize) -> Arc<dyn Observer> {
    let seen = std::io::stderr().is_terminal()
        && colour::variable("CI").is_none()
        && colour::variable("TERM").as_deref() != Some("dumb");
    if seen { Arc::new(Bar::new(checks, ProgressDrawTarget::stderr())) } else { Arc::new(Silent) }
}

/// Watches and says nothing.
pub(super) struct Silent;

impl Observer for Silent {
    fn begun(&self, _: &str, _: &str) {}
    fn ended(&self, _: &str, _: &str, _: Status) {}
}

/// One line with the number of checks that have ended and the names of those that have not.
struct Bar {
    bar: ProgressBar,
    running: Mutex<Vec<String>>,
}

impl Bar {
    fn new(checks: usize, target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(u64::try_from(checks).ok(), target);
        // Truncated at the terminal's edge, so that many names don't wrap.
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, running: Mutex::default() }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        self.bar.set_message(running.join(", "));
    }
}

impl Observer for Bar {
    fn begun(&self, check: &str, _: &str) {
        self.change(|running| running.push(plain(check)));
    }

    fn ended(&self, check: &str, _: &str, _: Status) {
        let check = plain(check);
        self.change(|running| {
            // A check may run towards several endpoints: one end takes one name away.
            if let Some(at) = running.iter().position(|name| *name == check) {
                running.remove(at);
            }
        });
        self.bar.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_counts_what_ended_and_names_what_still_runs() {
        let bar = Bar::new(3, ProgressDrawTarget::hidden());
        bar.begun("job-query", "a:80");
        bar.begun("job-query", "b:80");
        bar.begun("sql-database", "c:1433");
        bar.ended("job-query", "a:80", Status::Pass);
        assert_eq!((bar.bar.position(), bar.bar.message().as_str()), (1, "job-query, sql-database"));
        bar.ended("job-query", "b:80", Status::Fail);
        bar.ended("sql-database", "c:1433", Status::Pass);
        assert_eq!((bar.bar.position(), bar.bar.message().as_str()), (3, ""));
    }
}
