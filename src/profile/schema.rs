//! The published JSON Schemas: of profiles, of checks, and of the run record. `docs/schema/` holds copies of them.

use std::net::IpAddr;
use std::sync::LazyLock;

use jsonschema::Validator;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::Value;

use super::syntax::{CheckFile, ProfileFile};
use crate::model::run::Run;

/// The schema of a profile's YAML.
#[must_use]
pub fn profile_schema() -> Value {
    titled::<ProfileFile>("bothways profile")
}

/// The schema of a check's YAML.
#[must_use]
pub fn check_schema() -> Value {
    titled::<CheckFile>("bothways check")
}

/// The schema of a saved run.
#[must_use]
pub fn run_schema() -> Value {
    titled::<Run>("bothways run")
}

fn titled<T: JsonSchema>(title: &str) -> Value {
    let mut schema = schema_for!(T);
    schema.insert("title".to_owned(), title.into());
    RecursiveTransform(without_empty_default).transform(&mut schema);
    schema.to_value()
}

/// That a key may be left out says nothing to a reader; `default: null` would be all over the place.
fn without_empty_default(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// A schema together with what checks values against it.
pub struct Shape {
    pub schema: Value,
    validator: Option<Validator>,
}

impl Shape {
    fn new(schema: Value) -> Self {
        let address = |text: &str| text.parse::<IpAddr>().is_ok();
        let options = jsonschema::draft202012::options().should_validate_formats(true).with_format("ip", address);
        let validator = options.build(&schema).ok();
        Self { schema, validator }
    }

    /// What checks values; absent only if the schema itself were wrong, which a test excludes.
    #[must_use]
    pub fn validator(&self) -> Option<&Validator> {
        self.validator.as_ref()
    }
}

/// The shape of a profile's YAML.
pub static PROFILE: LazyLock<Shape> = LazyLock::new(|| Shape::new(profile_schema()));
/// The shape of a check's YAML.
pub static CHECK: LazyLock<Shape> = LazyLock::new(|| Shape::new(check_schema()));
