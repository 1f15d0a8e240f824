//! `bothways check`: tests what can be tested from this side.

use std::process::ExitCode;

use super::CliError;
use super::args::CheckArgs;

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    Err(CliError::tool(format!("`check {}` is not part of this build", args.profile)))
}
