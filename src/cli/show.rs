//! `bothways show`: a profile or a check as YAML, ready to be saved and changed.

use std::process::ExitCode;

use super::args::ShowArgs;
use super::{CliError, exit, output};
use crate::profile::catalog::Catalog;
use crate::profile::suggest::hint;

pub(super) fn run(args: &ShowArgs) -> Result<ExitCode, CliError> {
    let catalog = Catalog::with_folder(args.catalog.checks_folder.clone());
    let Some((_, yaml)) = catalog.text(&args.name) else {
        let known = [catalog.profile_names(), catalog.check_names()].concat();
        let hint = hint(&args.name, known.iter().map(String::as_str));
        let text = format!("there is no profile or check `{}`{hint}; `bothways list` shows them", args.name);
        return Err(CliError::usage(text));
    };
    output::to_stdout(yaml.as_bytes())?;
    Ok(ExitCode::from(exit::WORKS))
}
