//! `bothways man`: the manual page, with every subcommand on one page.

use std::io;
use std::process::ExitCode;

use clap::{Arg, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, line_break, roman};

use super::args::{Cli, EXAMPLES};
use super::{CliError, exit, output};

pub(super) fn run() -> Result<ExitCode, CliError> {
    let page = page().map_err(|error| CliError::tool(format!("the manual page can't be made: {error}")))?;
    output::to_stdout(&page)?;
    Ok(ExitCode::from(exit::WORKS))
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    // An empty date would let what follows it move up by one.
    let man = Man::new(command.clone()).section("1").date(" ").manual("User Commands");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        roff.control("SS", [format!("bothways {}", subcommand.get_name()).as_str()]);
        roff.text([roman(subcommand.get_about().map(ToString::to_string).unwrap_or_default())]);
        arguments(&mut roff, subcommand.get_arguments().filter(|argument| !argument.is_global_set()));
    }
    roff.control("SH", ["OPTIONS OF EVERY COMMAND"]);
    arguments(&mut roff, command.get_arguments().filter(|argument| argument.is_global_set()));
    exit_status(&mut roff);
    examples(&mut roff);
    roff.to_writer(&mut out)?;
    Ok(out)
}

fn arguments<'a>(roff: &mut Roff, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments.filter(|argument| !argument.is_hide_set() && argument.get_id() != "help") {
        roff.control("TP", []);
        let short = argument.get_short().map(|letter| format!("-{letter}, ")).unwrap_or_default();
        roff.text([bold(format!("{short}{argument}"))]);
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let values: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let takes = argument.get_action().takes_values() && !values.is_empty();
        roff.text([roman(if takes { format!("{help} [{}]", values.join(", ")) } else { help })]);
    }
}

fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in exit::ABOUT.lines().skip(1).filter_map(|line| line.trim().split_once("  ")) {
        roff.control("TP", []);
        roff.text([bold(code)]);
        roff.text([roman(meaning)]);
    }
}

fn examples(roff: &mut Roff) {
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    roff.text(
        EXAMPLES.lines().skip(1).flat_map(|line| [roman(line.trim().to_owned()), line_break()]).collect::<Vec<_>>(),
    );
    roff.control("fi", []);
}
