//! `bothways check`: tests what can be tested from this side.

use std::process::ExitCode;

use super::args::CheckArgs;
use super::{CliError, exit, join, output, progress, session};
use crate::model::flow::Role;
use crate::model::span::Span;
use crate::plan::{self, Impossible, Plan, Surroundings};
use crate::profile::Profile;
use crate::profile::catalog::Catalog;
use crate::profile::load;
use crate::profile::suggest::hint;

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let catalog = Catalog::with_folder(args.checks_folder.clone());
    let mut profile = load::load(&args.profile, &args.set, &catalog).map_err(CliError::problems)?;
    shorten(&mut profile, args.timeout, args.deadline);
    let sides: Vec<Role> = args.side.iter().map(Role::new).collect();
    if let Some(code) = &args.join {
        let runtime = session::runtime()?;
        let run = runtime.block_on(join::run(profile, &sides, args, code))?;
        runtime.shutdown_background();
        output::write(&run, &args.output)?;
        return Ok(exit::of_run(&run, args.fail_on));
    }
    let mut plan = session::with_surroundings(|around| {
        plan::make(&profile, &sides, &args.only, &Surroundings { word: args.word.as_ref(), ..*around })
    })
    .map_err(|why| impossible(&why))?;
    if args.timeout.is_some() && args.deadline.is_none() {
        outlast(&mut plan);
    }
    let runtime = session::runtime()?;
    let observer = progress::observer(plan.probes.len());
    let run = runtime.block_on(session::run(&profile, &plan, observer, Vec::new))?;
    // A name look-up that hangs in the operating system must not keep the program.
    runtime.shutdown_background();
    output::write(&run, &args.output)?;
    Ok(exit::of_run(&run, args.fail_on))
}

/// Why no plan can be made, with what was probably meant.
fn impossible(why: &Impossible) -> CliError {
    let hint = match why {
        Impossible::NoSide(_) => String::new(),
        Impossible::UnknownSide(side, roles) => hint(side.as_str(), roles.iter().map(Role::as_str)),
        Impossible::UnknownCheck(check, checks) => hint(check, checks.iter().map(String::as_str)),
    };
    CliError::usage(format!("{why}{hint}"))
}

/// Gives the run as much time as its longest check may take, twice, as one check may wait for another.
fn outlast(plan: &mut Plan) {
    let longest = plan.probes.iter().map(|probe| probe.budget).max().unwrap_or_default();
    plan.deadline = plan.deadline.max(2 * longest);
}

/// What the command line says of time goes before the profile.
pub(super) fn shorten(profile: &mut Profile, timeout: Option<Span>, deadline: Option<Span>) {
    if let Some(timeout) = timeout {
        profile.settings.timeout = timeout;
        for check in &mut profile.checks {
            check.timeout = None;
        }
    }
    if let Some(deadline) = deadline {
        profile.settings.deadline = deadline;
    }
}
