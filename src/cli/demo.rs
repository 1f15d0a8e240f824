//! `bothways demo`: both sides on this machine, with responders for every role.

use std::process::ExitCode;

use super::CliError;
use super::args::DemoArgs;

pub(super) fn run(_: &DemoArgs) -> Result<ExitCode, CliError> {
    Err(CliError::tool("`demo` is not part of this build"))
}
