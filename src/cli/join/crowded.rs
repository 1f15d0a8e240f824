//! Flows that fell silent, or were answered at times only, while many others had joined: whoever joined first was not told to
//! be patient, as the crowd came after it. They are tested again, with patience, before it is held against the network.

use super::super::{CliError, crowd, progress, session};
use super::{Both, planned, replace};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::finding::Status;
use crate::model::run::Outcome;
use crate::model::sighting::Sightings;

impl Both<'_> {
    /// Tests again what was answered at first and not to its end, where others had joined; whether anything was.
    pub(super) async fn once_more(
        &mut self,
        own: &mut [Outcome],
        theirs: &mut [Outcome],
        far: &Sightings,
    ) -> Result<bool, CliError> {
        let told = self.args.timeout.is_some() || self.args.deadline.is_some();
        if told || (far.alone && self.channel.welcome.crowd < 2) || self.lost.is_some() {
            return Ok(false);
        }
        let late = |outcomes: &[Outcome]| -> Vec<String> {
            outcomes
                .iter()
                .filter(|outcome| fell_silent(outcome) || is_late(outcome))
                .map(|outcome| outcome.check.clone())
                .collect()
        };
        let (mine, others) = (late(own), late(theirs));
        if !mine.is_empty() {
            let mut profile = self.profile.clone();
            if self.channel.welcome.crowd <= crowd::FEW {
                crowd::be_patient(&mut profile);
            }
            let plan = planned(&profile, self.sides, &self.with_finders(mine.clone()))?;
            let observer = progress::observer(plan.probes.len());
            let again = session::tested_until(&profile, &plan, observer, self.stop.told());
            replace(own, self.channel.while_alive(again).await?.1);
        }
        if !others.is_empty() {
            let wanted = self.wanted(self.with_finders(others.clone()));
            if let Ok(again) = self.channel.test_again(wanted).await {
                replace(theirs, again);
            }
        }
        Ok(!mine.is_empty() || !others.is_empty())
    }
}

/// Whether something was answered, and something else not in time: a busy machine looks like a line with loss.
fn is_late(outcome: &Outcome) -> bool {
    outcome.tested_from.is_some() && outcome.code == Code::Flaky
}

/// Whether something answered, and then nothing more came in time.
fn fell_silent(outcome: &Outcome) -> bool {
    let failed = outcome.tested_from.is_some() && matches!(outcome.status, Status::Fail | Status::Unknown);
    let began = outcome.steps.iter().any(|step| step.kind != StepKind::Resolve && step.error.is_none());
    failed && began && outcome.steps.last().is_some_and(|step| step.error == Some(Failure::TimedOut))
}
