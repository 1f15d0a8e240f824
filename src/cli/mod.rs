//! The command line: one file per subcommand, and one place that decides how the program ends.
//!
//! Machine output goes to stdout, everything else to stderr. Nothing outside of this folder writes to either.

mod answers;
mod args;
mod bind;
mod check;
mod colour;
mod completions;
mod crowd;
mod demo;
mod error;
mod exit;
mod explain;
mod join;
mod lint;
mod list;
mod listen;
mod man;
mod merge;
mod output;
mod progress;
mod report;
mod schema;
mod secrets;
mod session;
mod show;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

pub use error::CliError;

/// Runs the program with this process's arguments; the exit codes are those of [`exit`].
#[must_use]
pub fn main() -> ExitCode {
    // A panic has already said on stderr what happened; it is the tool's own failure, never a verdict on the network.
    std::panic::catch_unwind(|| run(std::env::args_os())).unwrap_or(ExitCode::from(exit::TOOL))
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout; a reader that went away is no news.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::WORKS });
        }
    };
    colour::remember(cli.color);
    dispatch(&cli.command).unwrap_or_else(|error| {
        output::say(&error.told());
        ExitCode::from(error.exit_code())
    })
}

fn dispatch(command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Check(args) => check::run(args),
        Command::Listen(args) => listen::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Report(args) => report::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man => man::run(),
    }
}
