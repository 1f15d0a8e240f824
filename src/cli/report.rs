//! `bothways report`: reads a saved run and shows it again, as if it had just ended.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;

use super::args::ReportArgs;
use super::{CliError, exit, output};
use crate::model::run::{Run, SCHEMA};

pub(super) fn run(args: &ReportArgs) -> Result<ExitCode, CliError> {
    let run = load(&args.run)?;
    output::write(&run, &args.output)?;
    Ok(ExitCode::from(exit::WORKS))
}

/// Reads a saved run.
///
/// # Errors
/// The file can't be read, or holds something else.
pub(super) fn load(path: &Path) -> Result<Run, CliError> {
    parse(path, &read(path)?)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// The part of a record that every version has.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Run, CliError> {
    let text = decode(bytes).ok_or_else(|| CliError::usage(format!("{}: not a text in UTF-8", path.display())))?;
    let head: Head = serde_json::from_str(&text).map_err(|error| not_a_run(path, &error))?;
    if head.schema > SCHEMA {
        return Err(CliError::usage(format!(
            "{}: this run was saved by a newer version (schema {}; this one reads up to {SCHEMA}): \
             use that version, or a later one",
            path.display(),
            head.schema
        )));
    }
    serde_json::from_str(&text).map_err(|error| not_a_run(path, &error))
}

/// `FILE:LINE:COLUMN: what is wrong`.
fn not_a_run(path: &Path, error: &serde_json::Error) -> CliError {
    let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
    let what = error.to_string();
    // The place is already said, in the form that editors understand.
    let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
    CliError::usage(format!("{place}: not a run saved with `--format json`: {what}"))
}

/// The text of a file in UTF-8, or in UTF-16 with a byte order mark as older PowerShell writes what is redirected with `>`.
fn decode(bytes: &[u8]) -> Option<String> {
    let units = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| order([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xFF, 0xFE, ..] => units(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => units(u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_redirected_by_powershell_is_read() {
        let text = "{\"schema\": 1}";
        let mut utf16 = vec![0xFF, 0xFE];
        utf16.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(decode(&utf16).as_deref(), Some(text));
        assert_eq!(decode(format!("\u{feff}{text}").as_bytes()).as_deref(), Some(text));
        assert_eq!(decode(&[0xFF, 0xFE, 0x00, 0xD8]), None);
    }
}
