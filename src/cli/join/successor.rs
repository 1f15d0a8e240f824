//! Ports of this machine whose holder ends while the other side tests them: of many checks that one machine runs at once, the
//! first has the port for all of them. Another then takes the port, and what was tested in between is tested again.

use super::super::bind;
use super::{Both, planned, replace};
use crate::model::code::Code;
use crate::model::run::Outcome;
use crate::model::sighting::AnsweredBy;

/// How often a port may change hands between two tests of it.
const ROUNDS: usize = 4;

impl Both<'_> {
    /// Takes the ports whose holder has ended and has their flows tested again. Nothing of this happens to whoever is alone.
    pub(super) async fn succeed(&mut self, theirs: &mut [Outcome]) {
        for _ in 0..ROUNDS {
            let checks: Vec<String> =
                theirs.iter().filter(|outcome| self.is_left(outcome)).map(|outcome| outcome.check.clone()).collect();
            if checks.is_empty() || self.channel.welcome.crowd < 2 {
                return;
            }
            let Ok(mine) = planned(&bind::answerable(&self.profile, self.sides), self.sides, &self.args.only) else {
                return;
            };
            let taken = self.answers.take_over(&mine.answers, &self.shared).await;
            let wanted = self.wanted(self.with_finders(checks));
            match self.channel.test_again(wanted).await {
                Ok(again) => replace(theirs, again),
                Err(_) => return,
            }
            if taken {
                return;
            }
        }
    }

    /// Whether a flow failed as it does where what held its port has ended.
    fn is_left(&self, outcome: &Outcome) -> bool {
        let held = self.answers.list.iter().any(|answer| {
            answer.by == AnsweredBy::Service
                && (&answer.role, answer.transport, Some(answer.port)) == (&outcome.to, outcome.transport, outcome.port)
        });
        held && outcome.tested_from.is_some() && matches!(outcome.code, Code::Refused | Code::Flaky)
    }
}
