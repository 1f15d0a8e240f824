//! The table at the end: one line for every scenario, and every difference in full. Only computes.

use std::fmt::Write;

use serde_json::Value;

use crate::verdict::Row;

/// What is said of one scenario.
#[derive(Debug, Clone)]
pub struct Line {
    pub name: String,
    pub fault: String,
    pub rows: Vec<Row>,
    /// Why it could not be played.
    pub error: Option<String>,
}

/// The whole table.
pub fn table(mut lines: Vec<Line>) -> String {
    lines.sort_by(|one, other| one.name.cmp(&other.name));
    let mut out = String::new();
    let name = lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
    for line in &lines {
        let verdict = match (&line.error, line.rows.iter().filter(|row| row.differs()).count()) {
            (Some(_), _) => "not played".to_owned(),
            (None, 0) => "as expected".to_owned(),
            (None, count) => format!("{count} differ"),
        };
        let _ = writeln!(out, "{:name$}  {verdict:11}  {}", line.name, line.fault);
    }
    let differing = || lines.iter().filter(|line| line.error.is_some() || line.rows.iter().any(Row::differs));
    if differing().next().is_some() {
        out.push_str("\nscenario: flow: expected | found\n");
    }
    for line in differing() {
        for row in line.rows.iter().filter(|row| row.differs()) {
            let _ = writeln!(out, "{}: {}: {} | {}", line.name, row.of, row.expected, row.found);
        }
        if let Some(error) = &line.error {
            let _ = writeln!(out, "{}: {error}", line.name);
        }
    }
    let _ = writeln!(out, "\n{} scenarios, {} not as expected", lines.len(), differing().count());
    out
}

/// What the record says of flows, for whoever looks for the reason.
pub fn details(record: &Value, checks: &[&str]) -> String {
    let outcomes = record["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut out = String::new();
    for outcome in outcomes.iter().filter(|outcome| outcome["check"].as_str().is_some_and(|id| checks.contains(&id))) {
        let _ = writeln!(out, "{}", outcome["sentence"].as_str().unwrap_or_default());
        for key in ["check", "tested_from", "confidence", "path", "facts", "receipts"] {
            let _ = writeln!(out, "  {key}: {}", outcome[key]);
        }
        for step in outcome["steps"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let _ = writeln!(out, "  {step}");
        }
    }
    out
}
