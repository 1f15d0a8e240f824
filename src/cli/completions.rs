//! `bothways completions`: a script that teaches a shell the arguments.

use std::process::ExitCode;

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::{CliError, exit, output};

pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bothways", &mut script);
    output::to_stdout(&script)?;
    Ok(ExitCode::from(exit::WORKS))
}
