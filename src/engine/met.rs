//! What the checks of one run have met, so that one learns from another whether trying again can help.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::diagnose::flaky::{connected, turned_away};
use crate::model::evidence::{Evidence, Icmp};
use crate::model::flow::{Flow, Transport};

/// Shared by all checks of a run.
#[derive(Debug, Default)]
pub(super) struct Met(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Where a TCP connection was opened: a place that takes one and not another is not closed, it is flaky.
    opened: HashSet<String>,
    /// Who rejects, in which words, and which flows.
    rejected: HashMap<(IpAddr, u8, u8), HashSet<String>>,
}

impl Met {
    /// Takes in what one attempt met.
    pub fn note(&self, flow: &Flow, evidence: &Evidence) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flow.transport == Transport::Tcp {
            known.opened.extend(connected(&evidence.steps).map(str::to_owned));
        }
        if let Some(rejection) = rejection(evidence) {
            known.rejected.entry(rejection).or_default().insert(format!("{} {}", flow.check, flow.endpoint));
        }
    }

    /// Whether a connection that this attempt could not open was opened for another.
    pub fn disproves(&self, evidence: &Evidence) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turned_away(&evidence.steps).any(|place| known.opened.contains(place))
    }

    /// Whether the device that rejected this attempt rejects other flows in the same words: no chance, then. Asking it
    /// again would only use up the few ICMP messages that it sends a second.
    pub fn confirms(&self, evidence: &Evidence) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rejection(evidence).and_then(|rejection| known.rejected.get(&rejection)).is_some_and(|flows| flows.len() > 1)
    }
}

/// The ICMP message that ended an attempt.
pub(super) fn icmp(evidence: &Evidence) -> Option<Icmp> {
    evidence.stopped_at().and_then(|step| step.icmp)
}

fn rejection(evidence: &Evidence) -> Option<(IpAddr, u8, u8)> {
    let icmp = icmp(evidence)?;
    Some((icmp.from?, icmp.kind, icmp.code))
}
