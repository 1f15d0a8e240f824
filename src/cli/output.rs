//! Writing: results to stdout or a file, everything else to stderr.

use std::io::{self, Write};
use std::path::Path;

use super::args::OutputArgs;
use super::{CliError, colour};
use crate::model::run::Run;
use crate::report;

/// Writes a run as the command line asks for it.
///
/// # Errors
/// The file or stdout can't be written. A reader that went away is not an error.
pub(super) fn write(run: &Run, args: &OutputArgs) -> Result<(), CliError> {
    match &args.output {
        Some(path) => to_file(path, &report::render(args.format, run, &colour::of_file(args.verbose))),
        None => to_stdout(&report::render(args.format, run, &colour::of_stdout(args.verbose))),
    }
}

/// Writes bytes to stdout. Who pipes into `head` gets what was wanted, and no complaint.
pub(super) fn to_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Write { to: "to stdout".to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn to_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(path, bytes).map_err(|source| CliError::Write { to: path.display().to_string(), source })
}

/// Says something on stderr. Where nobody listens there, nothing is lost.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
