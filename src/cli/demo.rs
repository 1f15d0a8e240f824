//! `bothways demo`: both sides on this machine, with responders for every role, and the whole profile between them.

mod stage;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::DemoArgs;
use super::{CliError, check, exit, output, progress, session};
use crate::model::flow::Role;
use crate::model::run::Run;
use crate::plan::{self, Plan};
use crate::profile::Profile;
use crate::profile::catalog::Catalog;
use crate::profile::load;
use stage::Stage;

/// The profile with every role on this machine.
const PROFILE: &str = "loopback";

pub(super) fn run(args: &DemoArgs) -> Result<ExitCode, CliError> {
    let mut profile = load::load(PROFILE, &[], &Catalog::built_in()).map_err(CliError::problems)?;
    "miradore".clone_into(&mut profile.name);
    check::shorten(&mut profile, args.timeout, None);
    let runtime = session::runtime()?;
    let run = runtime.block_on(async {
        let (run, stage) = play(&mut profile, args).await?;
        output::write(&run, &args.output)?;
        if args.serve {
            serve(stage).await;
        }
        Ok::<Run, CliError>(run)
    })?;
    runtime.shutdown_background();
    Ok(exit::of_run(&run, exit::FailOn::Fail))
}

/// Keeps the responders until Ctrl-C.
async fn serve(_stage: Stage) {
    // Listens before it says so: a Ctrl-C in between would be lost.
    let stopped = session::interrupted().await;
    output::say("The responders go on until Ctrl-C.");
    stopped.await;
}

/// Opens the responders and runs the profile against them.
async fn play(profile: &mut Profile, args: &DemoArgs) -> Result<(Run, Stage), CliError> {
    let roles: Vec<Role> = profile.roles.iter().map(|info| info.role.clone()).collect();
    let stage = Stage::set(profile, &roles, args.broken.as_deref()).await?;
    let (host, responders) = (Ipv4Addr::LOCALHOST, stage.len());
    output::say(&format!(
        "Both sides on this machine ({host}), with {responders} responders in place of the real services:"
    ));
    output::say(&stage.describe());
    let plan: Plan = session::with_surroundings(|around| plan::make(profile, &roles, &[], around))
        .map_err(|why| CliError::usage(why.to_string()))?;
    let observer = progress::observer(plan.probes.len());
    let shared = Arc::clone(&stage.shared);
    let run = session::run(profile, &plan, observer, move || shared.receipts.all()).await?;
    Ok((run, stage))
}
