//! `bothways schema`: the JSON Schema of what the program writes and reads.

use std::process::ExitCode;

use super::args::{SchemaArgs, SchemaOf};
use super::{CliError, exit, output};
use crate::profile::schema;

pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode, CliError> {
    let schema = match args.of {
        SchemaOf::Run => schema::run_schema(),
        SchemaOf::Profile => schema::profile_schema(),
        SchemaOf::Check => schema::check_schema(),
    };
    output::to_stdout(format!("{schema:#}\n").as_bytes())?;
    Ok(ExitCode::from(exit::WORKS))
}
