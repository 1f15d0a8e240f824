//! A run record to bytes, one file per format; no I/O, and nothing is read but the record.

mod json;
pub mod page;
mod plain;
mod table;

use crate::model::run::Run;

pub use plain::plain;

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Table,
    /// The record itself.
    Json,
}

/// What the place where the text is read can show. Formats for machines don't look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of text.
    pub width: usize,
    /// Whether ANSI colours may be used. Nothing is ever said by colour alone.
    pub colour: bool,
    /// Whether symbols outside of ASCII may be used.
    pub unicode: bool,
    /// Whether every step and fact is shown, not only those of failures.
    pub verbose: bool,
}

impl Look {
    /// Plain ASCII without colour.
    #[must_use]
    pub fn plain(width: usize) -> Self {
        Self { width, colour: false, unicode: false, verbose: false }
    }
}

/// Writes a run in the given format, with a line break at the end.
#[must_use]
pub fn render(format: Format, run: &Run, look: &Look) -> Vec<u8> {
    match format {
        Format::Table => table::render(run, look),
        Format::Json => json::render(run),
    }
}
