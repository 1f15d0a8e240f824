//! Several addresses of one name to one judgement: all must work; where only some do, that is a warning.

use std::net::{IpAddr, SocketAddr};

use super::attempt::Attempt;
use crate::diagnose::judge;
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Status};
use crate::plan::PlannedProbe;

/// What one address gave.
pub(super) struct Heard {
    pub address: SocketAddr,
    pub judgement: Judgement,
    pub evidence: Evidence,
}

impl Heard {
    fn works(&self) -> bool {
        matches!(self.judgement.status, Status::Pass | Status::Warn)
    }

    /// No connection was opened.
    pub fn never_opened(&self) -> bool {
        !self.evidence.passed(StepKind::Connect)
    }

    /// This machine has no route for the whole address family: says nothing of the target.
    fn lacks_family(&self) -> bool {
        self.evidence.stopped_at().is_some_and(|step| {
            step.kind == StepKind::Connect
                && step.icmp.is_none()
                && matches!(step.error, Some(Failure::NetworkUnreachable | Failure::AddressUnavailable))
        })
    }
}

/// One judgement and one record out of what all addresses gave.
pub(super) fn combine(planned: &PlannedProbe, names: Evidence, heard: Vec<Heard>) -> Attempt {
    let addresses: Vec<IpAddr> = heard.iter().map(|one| one.address.ip()).collect();
    // The facts are those of the address that fared best; the steps are everyone's.
    let best = heard.iter().min_by_key(|one| one.judgement.status.weight());
    let seen = best.map(|best| &best.evidence);
    let judgement = judge::with_names(judgement(planned, &heard), &planned.ask, &names, seen, &addresses);
    let mut evidence = names;
    if let Some(best) = best {
        evidence.facts.extend(best.evidence.facts.clone());
        evidence.facts.insert(Fact::Address.word().to_owned(), best.address.to_string().into());
    }
    for one in heard {
        evidence.steps.extend(one.evidence.steps);
    }
    Attempt { judgement, evidence }
}

fn judgement(planned: &PlannedProbe, heard: &[Heard]) -> Judgement {
    let any_works = heard.iter().any(Heard::works);
    let counted: Vec<&Heard> = heard.iter().filter(|one| !(any_works && one.lacks_family())).collect();
    let worst = counted.iter().max_by_key(|one| one.judgement.status.weight());
    let best = counted.iter().min_by_key(|one| one.judgement.status.weight());
    let (Some(worst), Some(best)) = (worst, best) else {
        return Judgement::error(format!("{} has no address to ask.", planned.ask.target()));
    };
    if counted.len() == 1 || worst.works() || !best.works() {
        return worst.judgement.clone();
    }
    some_work(&counted, worst)
}

/// Works on some of several addresses.
fn some_work(counted: &[&Heard], worst: &Heard) -> Judgement {
    let bad: Vec<String> = counted.iter().filter(|one| !one.works()).map(|one| one.address.ip().to_string()).collect();
    let sentence = format!(
        "Works on {} of {} addresses, not on {}: {}",
        counted.len() - bad.len(),
        counted.len(),
        bad.join(", "),
        worst.judgement.sentence
    );
    Judgement { status: Status::Warn, sentence, ..worst.judgement.clone() }
}
