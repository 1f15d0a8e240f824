//! The arguments, as typed. What they mean is the subcommands' business.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::exit::{self, FailOn};
use crate::model::span::{BadSpan, Span};
use crate::model::token::Word;
use crate::report::Format;

/// The first things to try, as help and the manual page tell them.
pub(super) const EXAMPLES: &str = "\
Examples:
  bothways demo
  bothways check miradore --side client --set server.host=srv01.corp.example
  bothways check our-site.yaml --side server --format json --output run.json
  bothways explain dropped";

/// Checks every documented network flow of a product from either side, and says what is blocked, where, why, and the
/// rule to ask for.
#[derive(Debug, Parser)]
#[command(name = "bothways", version, after_help = format!("{EXAMPLES}\n\n{}", exit::ABOUT), max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// When to use colours; `NO_COLOR`, `CLICOLOR_FORCE` and `FORCE_COLOR` are honoured
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: ColourChoice,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Both sides on this machine with stand-in services: the whole profile, without any set-up
    Demo(DemoArgs),
    /// Test what can be tested from this side
    Check(CheckArgs),
    /// Answer for this side's services, so that the other side can test both directions
    Listen(ListenArgs),
    /// Join runs that were taken on different sides into one
    Merge(MergeArgs),
    /// Show a saved run again
    Report(ReportArgs),
    /// List the profiles and checks that are known
    List(CatalogArgs),
    /// Print a profile or a check as YAML
    Show(ShowArgs),
    /// Say what is wrong with profiles or checks, with line and remedy
    Lint(LintArgs),
    /// Explain a finding code, or list all of them
    Explain(ExplainArgs),
    /// Print the JSON Schema of runs, profiles or checks
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Let this check fail, to see what a failure looks like
    #[arg(long = "break", value_name = "CHECK")]
    pub broken: Option<String>,
    /// Keep the stand-in services running until Ctrl-C
    #[arg(long)]
    pub serve: bool,
    /// The time that each check may take, such as 500ms or 5s
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub timeout: Option<Span>,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A built-in profile's name, or a file
    pub profile: String,
    /// A role that this machine plays; may be repeated
    #[arg(long, value_name = "ROLE")]
    pub side: Vec<String>,
    /// Set a value of the profile; may be repeated
    #[arg(long, value_name = "ENDPOINT.KEY=VALUE")]
    pub set: Vec<String>,
    /// Run these checks only, separated by commas; may be repeated
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Test both directions together with the `bothways listen` that printed this code
    #[arg(long, value_name = "CODE")]
    pub join: Option<String>,
    /// The time that the whole run may take, such as 30s
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub deadline: Option<Span>,
    /// The time that each check may take, such as 500ms or 5s
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub timeout: Option<Span>,
    /// What ends the program with exit code 1
    #[arg(long, value_enum, value_name = "STATUS", default_value_t)]
    pub fail_on: FailOn,
    /// A word that all sides use whose runs `bothways merge` will join
    #[arg(long, value_name = "WORD")]
    pub word: Option<Word>,
    /// A folder with checks and profiles that go before the built-in ones
    #[arg(long, value_name = "DIR")]
    pub checks_folder: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
pub struct ListenArgs {
    /// A built-in profile's name, or a file
    pub profile: String,
    /// A role that this machine plays; may be repeated
    #[arg(long, value_name = "ROLE")]
    pub side: Vec<String>,
    /// Set a value of the profile; may be repeated
    #[arg(long, value_name = "ENDPOINT.KEY=VALUE")]
    pub set: Vec<String>,
    /// Write the join code to this file as well
    #[arg(long, value_name = "FILE")]
    pub join_file: Option<PathBuf>,
    /// The port of the control channel; else it is 443 or 7443, and shares that of an HTTPS responder
    #[arg(long, value_name = "PORT")]
    pub control_port: Option<u16>,
    /// A name or address under which the other side reaches this machine; may be repeated
    #[arg(long, value_name = "HOST")]
    pub advertise: Vec<String>,
    /// How long the join code is good for
    #[arg(long, value_name = "TIME", default_value = "60m")]
    pub expires: Span,
    /// Keep every run that this side takes part in in this folder
    #[arg(long, value_name = "DIR")]
    pub collect: Option<PathBuf>,
    /// A word that both sides agree on where they can't reach each other's control channel: runs kept with it merge
    #[arg(long, value_name = "WORD", requires = "collect")]
    pub word: Option<Word>,
    /// An address to answer without a join code, besides those that the profile names; may be repeated
    #[arg(long, value_name = "ADDRESS", requires = "word")]
    pub peer: Vec<IpAddr>,
    /// End after one run
    #[arg(long)]
    pub once: bool,
    /// A folder with checks and profiles that go before the built-in ones
    #[arg(long, value_name = "DIR")]
    pub checks_folder: Option<PathBuf>,
}

/// A time to wait that leaves room for an answer.
fn wait(written: &str) -> Result<Span, String> {
    let span: Span = written.parse().map_err(|error: BadSpan| error.to_string())?;
    if span < Span::LEAST_WAIT {
        return Err(format!("that is too short for an answer to come; write `{}` or more", Span::LEAST_WAIT));
    }
    Ok(span)
}

/// How and where a run is shown.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// The report's format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Write the report to this file instead of the screen
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show every step and fact
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Runs of different sides, saved with `--format json`: two or more; `-` reads one from standard input
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// What ends the program with exit code 1
    #[arg(long, value_enum, value_name = "STATUS", default_value_t)]
    pub fail_on: FailOn,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run saved with `--format json`; `-` reads it from standard input
    pub run: PathBuf,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
pub struct CatalogArgs {
    /// A folder with checks and profiles that go before the built-in ones
    #[arg(long, value_name = "DIR")]
    pub checks_folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The name of a profile or a check, as `bothways list` shows it
    pub name: String,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

#[derive(Debug, Args)]
pub struct LintArgs {
    /// Profiles or checks
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code from a report, such as `dropped`
    pub code: Option<String>,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// What the schema describes
    #[arg(value_enum, default_value_t)]
    pub of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SchemaOf {
    /// The record that `--format json` writes
    #[default]
    Run,
    /// A profile's YAML
    Profile,
    /// A check's YAML
    Check,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColourChoice {
    Always,
    Never,
    /// On a terminal, as the environment says
    #[default]
    Auto,
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Table, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Table => PossibleValue::new("table").help("Text for people"),
            Self::Json => PossibleValue::new("json").help("The run record, for programs and for `bothways report`"),
        })
    }
}
