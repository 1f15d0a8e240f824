//! Patience where many are tested at once: a machine that is busy with all of them answers late, which is no fault of the network.

use crate::model::span::Span;
use crate::profile::Profile;

/// So many joined sides slow nothing down.
pub(super) const FEW: usize = 8;
/// How many times as long everything may take in a crowd. It costs time only where something fails.
const PATIENCE: u32 = 4;

/// Gives every check more time, and the run.
pub(super) fn be_patient(profile: &mut Profile) {
    let longer = |span: Span| Span(span.0 * PATIENCE);
    profile.settings.timeout = longer(profile.settings.timeout);
    profile.settings.deadline = longer(profile.settings.deadline);
    for check in &mut profile.checks {
        check.timeout = check.timeout.map(longer);
    }
}
