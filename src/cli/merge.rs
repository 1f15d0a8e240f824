//! `bothways merge`: joins runs that were taken on different sides, where no control channel could join them.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::MergeArgs;
use super::{CliError, exit, output, report};
use crate::diagnose::both::sides::{self, Doubt, Unfit};
use crate::engine::record;
use crate::model::flow::Role;
use crate::model::run::Run;

pub(super) fn run(args: &MergeArgs) -> Result<ExitCode, CliError> {
    let runs: Vec<Run> = args.runs.iter().map(|path| report::load(path)).collect::<Result<_, _>>()?;
    let files = Files(&args.runs);
    let joined = sides::join(&runs).map_err(|unfit| CliError::usage(files.unfit(&unfit, &runs)))?;
    for doubt in &joined.doubts {
        output::say(&format!("bothways: {}", files.doubt(doubt, &runs)));
    }
    let run = record::draw_up(joined.info, joined.outcomes, &[]);
    output::write(&run, &args.output)?;
    Ok(exit::of_run(&run, args.fail_on))
}

/// The files by their place on the command line, for what is said of them.
struct Files<'a>(&'a [PathBuf]);

impl Files<'_> {
    fn name(&self, place: usize) -> String {
        self.0.get(place).map_or_else(String::new, |path| path.display().to_string())
    }

    fn two(&self, one: usize, other: usize) -> String {
        format!("{} and {}", self.name(one), self.name(other))
    }

    fn unfit(&self, unfit: &Unfit, runs: &[Run]) -> String {
        match *unfit {
            Unfit::Alone => "one run alone can't be merged: name those of the other sides too".to_owned(),
            Unfit::Merged(place) => {
                format!("{} was merged already: merge the runs of which it was made, all at once", self.name(place))
            }
            Unfit::Twice(one, other) => format!("{} are the same run", self.two(one, other)),
            Unfit::SameSide(one, other) => format!(
                "{} are both of the side {} on the machine {}: name the newer one only",
                self.two(one, other),
                sides_of(&runs[one]),
                runs[one].run.host
            ),
            Unfit::OtherWord(one, other) => format!(
                "{} were taken with different run words, so they are not of one occasion: take them again with the same \
                 `--word`",
                self.two(one, other)
            ),
            Unfit::OtherFlows(one, other) => format!(
                "{} have no check in common (profiles `{}` and `{}`): they are not of the same product",
                self.two(one, other),
                runs[one].run.profile,
                runs[other].run.profile
            ),
        }
    }

    fn doubt(&self, doubt: &Doubt, runs: &[Run]) -> String {
        match *doubt {
            Doubt::Unlinked(one, other) => format!(
                "nothing shows that {} are of one occasion, so what one side saw is not used to judge the other; take them with \
                 the same `--word`",
                self.two(one, other)
            ),
            Doubt::OtherProfile(one, other) => format!(
                "{} were taken with different profiles (`{}` and `{}`)",
                self.two(one, other),
                runs[one].run.profile,
                runs[other].run.profile
            ),
            Doubt::NothingSeen => {
                "no run holds what its side saw of the others, so the outcomes are only listed together; \
                                   `bothways listen --collect` saves such runs"
                    .to_owned()
            }
        }
    }
}

fn sides_of(run: &Run) -> String {
    run.run.side.iter().map(Role::as_str).collect::<Vec<_>>().join(", ")
}
