//! Exit codes: what scripts may rely on.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::model::finding::Status;
use crate::model::run::Run;

/// Everything that is needed works.
pub const WORKS: u8 = 0;
/// Something is blocked or wrong.
pub const BLOCKED: u8 = 1;
/// The command line, a profile or a file given to the program is wrong.
pub const USAGE: u8 = 2;
/// Nothing failed, but something could not be told, or nothing could be tested.
pub const UNDECIDED: u8 = 3;
/// The tool itself failed.
pub const TOOL: u8 = 4;

/// The exit codes as help and the manual page tell them.
pub(super) const ABOUT: &str = "\
Exit codes:
  0  everything that is needed works
  1  something is blocked or wrong
  2  the command line, a profile or a given file is wrong
  3  nothing failed, but something could not be told
  4  the tool itself failed";

/// What ends a run with [`BLOCKED`], besides failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FailOn {
    /// Failures only
    #[default]
    Fail,
    /// Failures and warnings
    Warn,
    /// Failures and flows that could not be decided
    Unknown,
}

/// The exit code that a run stands for.
#[must_use]
pub fn of_run(run: &Run, fail_on: FailOn) -> ExitCode {
    let statuses: Vec<Status> = run.outcomes.iter().map(|outcome| outcome.status).collect();
    ExitCode::from(code(&statuses, fail_on))
}

fn code(statuses: &[Status], fail_on: FailOn) -> u8 {
    let has = |status| statuses.contains(&status);
    let blocked = has(Status::Fail)
        || (fail_on == FailOn::Warn && has(Status::Warn))
        || (fail_on == FailOn::Unknown && has(Status::Unknown));
    let tested = statuses.iter().any(|status| *status != Status::Skip);
    match () {
        () if blocked => BLOCKED,
        () if has(Status::Error) => TOOL,
        () if has(Status::Unknown) || !tested => UNDECIDED,
        () => WORKS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_the_tools_own_trouble() {
        assert_eq!(code(&[Status::Error, Status::Fail, Status::Unknown], FailOn::Fail), BLOCKED);
        assert_eq!(code(&[Status::Error, Status::Unknown, Status::Pass], FailOn::Fail), TOOL);
    }

    #[test]
    fn what_could_not_be_told_is_neither_green_nor_red() {
        assert_eq!(code(&[Status::Unknown, Status::Pass], FailOn::Fail), UNDECIDED);
        assert_eq!(code(&[Status::Skip, Status::Skip], FailOn::Fail), UNDECIDED);
        assert_eq!(code(&[], FailOn::Fail), UNDECIDED);
    }

    #[test]
    fn warnings_and_undecided_flows_fail_where_asked_for() {
        assert_eq!(code(&[Status::Warn, Status::Pass, Status::Skip], FailOn::Fail), WORKS);
        assert_eq!(code(&[Status::Warn, Status::Pass], FailOn::Warn), BLOCKED);
        assert_eq!(code(&[Status::Unknown, Status::Pass], FailOn::Warn), UNDECIDED);
        assert_eq!(code(&[Status::Unknown, Status::Pass], FailOn::Unknown), BLOCKED);
        assert_eq!(code(&[Status::Warn, Status::Pass], FailOn::Unknown), WORKS);
    }
}
