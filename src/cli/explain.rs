//! `bothways explain`: the page of a finding code, or all codes by group.

use std::process::ExitCode;

use super::args::ExplainArgs;
use super::{CliError, colour, exit, output};
use crate::explain;
use crate::model::code::Code;
use crate::profile::suggest::hint;
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    /// What stands between backquotes in a page.
    fn spans(page: &str) -> impl Iterator<Item = String> {
        let words = page.split('`').skip(1).step_by(2);
        words.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn pages_name_only_commands_and_options_that_there_are() {
        let mut command = Cli::command();
        command.build();
        let commands: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let options: Vec<String> = command
            .get_subcommands()
            .flat_map(|subcommand| subcommand.get_arguments().filter_map(|argument| argument.get_long()))
            .map(|long| format!("--{long}"))
            .collect();
        for code in Code::ALL {
            for span in
                spans(explain::page(*code)).filter(|span| span.starts_with("bothways ") || span.starts_with("--"))
            {
                let mut words = span.split(' ').peekable();
                if words.next_if_eq(&"bothways").is_some() {
                    let word = words.next().unwrap_or_default();
                    assert!(commands.contains(&word), "{code}: {span}");
                }
                for word in words.filter(|word| word.starts_with("--")) {
                    assert!(options.iter().any(|option| option == word), "{code}: {span}");
                }
            }
        }
    }

    #[test]
    fn a_page_keeps_its_paragraphs_and_items() {
        let look = crate::report::Look::plain(40);
        let mut page = Page::new(&look);
        markdown(&mut page, "# word\n\nOne line\nand another.\n\n## Next\n\n- first item\n  goes on\n- second\n");
        let text = String::from_utf8(page.finish()).unwrap();
        assert_eq!(text, "word\n\n  One line and another.\n\nNext\n\n  - first item goes on\n  - second\n\n");
    }
}
