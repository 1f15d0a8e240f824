//! The published JSON Schemas.

use serde_json::Value;

use crate::model::probe::Probe;
use crate::model::run::Run;

/// The schema of a run record.
#[must_use]
pub fn run_schema() -> Value {
    schemars::schema_for!(Run).to_value()
}

/// The schema of a profile's YAML.
#[must_use]
pub fn profile_schema() -> Value {
    schemars::schema_for!(Probe).to_value()
}

/// The schema of a check's YAML.
#[must_use]
pub fn check_schema() -> Value {
    schemars::schema_for!(Probe).to_value()
}
