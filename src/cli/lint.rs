//! `bothways lint`: every problem of every file, with line and remedy.

use std::process::ExitCode;

use super::args::LintArgs;
use super::{CliError, exit, output};
use crate::profile::catalog::Catalog;
use crate::profile::load;

pub(super) fn run(args: &LintArgs) -> Result<ExitCode, CliError> {
    let catalog = Catalog::with_folder(args.catalog.checks_folder.clone());
    let (mut lines, mut code) = (Vec::new(), exit::WORKS);
    for file in &args.files {
        let problems = load::lint(file, &catalog);
        if problems.0.is_empty() {
            lines.push(format!("{}: no problems\n", file.display()));
        } else {
            code = exit::USAGE;
            lines.push(format!("{}\n", problems.to_string().trim_end()));
        }
    }
    output::to_stdout(lines.concat().as_bytes())?;
    Ok(ExitCode::from(code))
}
