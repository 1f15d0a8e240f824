//! Where connections were opened in this run: a place that takes one and not another is not closed, it is flaky.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::diagnose::flaky::{connected, turned_away};
use crate::model::evidence::Evidence;

/// The addresses and ports at which a TCP connection was opened.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<HashSet<String>>);

impl Opened {
    /// Takes in what one attempt opened.
    pub fn note(&self, evidence: &Evidence) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.extend(connected(&evidence.steps).map(str::to_owned));
    }

    /// Whether a connection that this attempt could not open was opened for another.
    pub fn contradicts(&self, evidence: &Evidence) -> bool {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turned_away(&evidence.steps).any(|place| places.contains(place))
    }
}
