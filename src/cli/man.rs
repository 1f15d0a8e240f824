//! `bothways man`: the manual page, with every subcommand on one page.

use std::io;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::Cli;
use super::{CliError, exit, output};

pub(super) fn run() -> Result<ExitCode, CliError> {
    let page = page().map_err(|error| CliError::tool(format!("the manual page can't be made: {error}")))?;
    output::to_stdout(&page)?;
    Ok(ExitCode::from(exit::WORKS))
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone()).section("1").manual("User Commands");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        describe(&mut roff, subcommand);
    }
    exit_status(&mut roff);
    roff.to_writer(&mut out)?;
    Ok(out)
}

/// One subcommand with its arguments.
fn describe(roff: &mut Roff, command: &Command) {
    roff.control("SS", [format!("bothways {}", command.get_name()).as_str()]);
    roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set() && argument.get_id() != "help") {
        roff.control("TP", []);
        roff.text([bold(argument.to_string())]);
        let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let values: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !values.is_empty() && argument.get_action().takes_values() {
            help.push_str(&format!(" [{}]", values.join(", ")));
        }
        roff.text([roman(help)]);
    }
}

fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for line in exit::ABOUT.lines().skip(1) {
        if let Some((code, meaning)) = line.trim().split_once("  ") {
            roff.control("TP", []);
            roff.text([bold(code)]);
            roff.text([roman(meaning)]);
        }
    }
}
