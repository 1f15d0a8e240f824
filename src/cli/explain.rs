//! `bothways explain`: the page of a finding code, or all codes by group.

use std::process::ExitCode;

use super::args::ExplainArgs;
use super::nearest::hint;
use super::{CliError, colour, exit, output};
use crate::explain;
use crate::model::code::Code;
use crate::report::page::{Cell, Page, Paint};

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let look = colour::of_stdout(false);
    let mut page = Page::new(&look);
    match &args.code {
        Some(word) => markdown(&mut page, explain::page(find(word)?)),
        None => list(&mut page),
    }
    output::to_stdout(&page.finish())?;
    Ok(ExitCode::from(exit::WORKS))
}

fn find(word: &str) -> Result<Code, CliError> {
    word.to_lowercase().parse().map_err(|unknown: crate::model::code::UnknownCode| {
        let hint = hint(word, Code::ALL.iter().map(|code| code.word()));
        CliError::usage(format!("{unknown}{hint}; `bothways explain` lists them all"))
    })
}

fn list(page: &mut Page) {
    let widest = Code::ALL.iter().map(|code| code.word().len()).max().unwrap_or_default();
    let mut group = None;
    for code in Code::ALL {
        if group != Some(code.group()) {
            group = Some(code.group());
            page.heading(explain::title(code.group()));
        }
        let lead = [
            Cell::new("  ", Paint::Plain),
            Cell::new(code.word(), Paint::Strong).padded(widest),
            Cell::new("  ", Paint::Plain),
        ];
        let indent = if page.width() < 60 { 6 } else { widest + 4 };
        page.wrapped(&lead, indent, &explain::summary(*code), Paint::Plain);
    }
    page.blank();
    page.wrapped(&[], 0, "A code in full: bothways explain CODE", Paint::Faint);
}

/// Headings, paragraphs and list items of a page; nothing else occurs in them.
fn markdown(page: &mut Page, text: &str) {
    let mut block = String::new();
    for line in text.lines().chain([""]) {
        let item = line.starts_with("- ");
        if line.is_empty() || line.starts_with('#') || item {
            paragraph(page, &block);
            block.clear();
        }
        if line.starts_with('#') {
            page.heading(line.trim_start_matches(['#', ' ']));
        } else if line.is_empty() {
            page.blank();
        } else {
            block.push_str(if block.is_empty() { "" } else { " " });
            block.push_str(line.trim());
        }
    }
}

fn paragraph(page: &mut Page, block: &str) {
    match block.strip_prefix("- ") {
        Some(item) => page.wrapped(&[Cell::new("  - ", Paint::Plain)], 4, item, Paint::Plain),
        None if !block.is_empty() => {
            page.wrapped(&[Cell::new("  ", Paint::Plain)], 2, block, Paint::Plain);
        }
        None => {}
    }
}
