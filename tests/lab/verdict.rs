//! What was found against what was expected. Only computes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::placeholder::Placeholders;
use crate::play::Played;
use crate::scenario::{Detailed, Expect};

/// One thing that was compared.
#[derive(Debug, Clone)]
pub struct Row {
    pub of: String,
    pub expected: String,
    pub found: String,
}

impl Row {
    fn new(of: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { of: of.into(), expected: expected.into(), found: found.into() }
    }

    pub fn differs(&self) -> bool {
        self.expected != self.found
    }
}

const NOTHING: &str = "-";

/// # Errors
/// The expectation itself is wrong: a flow twice, or a placeholder that stands for nothing.
pub fn compare(expect: &Expect, played: &Played, fill: &Placeholders) -> Result<Vec<Row>, String> {
    let record = &played.record;
    let exit = played.exit.map_or("a signal".to_owned(), |code| code.to_string());
    let mut rows = vec![
        Row::new("exit code", expect.exit.to_string(), exit),
        Row::new("status", &expect.status, word(&record["status"])),
    ];
    let outcomes = record["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut listed = BTreeSet::new();
    for (names, wanted) in &expect.flows {
        for name in names.split(',').map(str::trim) {
            let found: Vec<usize> = (0..outcomes.len()).filter(|at| is(&outcomes[*at], name)).collect();
            if found.iter().any(|at| !listed.insert(*at)) {
                return Err(format!("expect.flows: {name} is listed twice"));
            }
            rows.extend(flow(
                name,
                &wanted.detailed(),
                &found.iter().map(|at| &outcomes[*at]).collect::<Vec<_>>(),
                fill,
            )?);
        }
    }
    let forgotten = outcomes.iter().enumerate().filter(|(at, outcome)| tested(outcome) && !listed.contains(at));
    rows.extend(forgotten.map(|(_, outcome)| Row::new(name(outcome), "(not listed)", verdict(outcome))));
    rows.extend(findings(expect, record));
    for (task, wanted) in &expect.tasks {
        let tasks = record["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = tasks.iter().find(|found| found["task"] == task.as_str());
        let found = found.map_or(NOTHING.to_owned(), |found| {
            let parts: &[&str] = match wanted.split(' ').count() {
                0 | 1 => &["status"],
                2 => &["status", "served_by"],
                _ => &["status", "code", "served_by"],
            };
            parts.iter().map(|part| word(&found[*part])).collect::<Vec<_>>().join(" ")
        });
        rows.push(Row::new(format!("task {task}"), wanted, found));
    }
    Ok(rows)
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or(NOTHING).to_owned()
}

/// Whether an outcome is of this check, or of this `check@endpoint`.
fn is(outcome: &Value, name: &str) -> bool {
    match name.split_once('@') {
        Some((check, endpoint)) => outcome["check"] == check && outcome["endpoint"] == endpoint,
        None => outcome["check"] == name,
    }
}

fn tested(outcome: &Value) -> bool {
    !outcome["tested_from"].is_null()
}

fn name(outcome: &Value) -> String {
    format!("{}@{}", word(&outcome["check"]), word(&outcome["endpoint"]))
}

/// `status code`, and which half was lost where that is told.
fn verdict(outcome: &Value) -> String {
    let lost = outcome["lost"].as_str().map(|half| format!(" {half}")).unwrap_or_default();
    format!("{} {}{lost}", word(&outcome["status"]), word(&outcome["code"]))
}

fn flow(name: &str, wanted: &Detailed, found: &[&Value], fill: &Placeholders) -> Result<Vec<Row>, String> {
    let expected = if wanted.verdict == "pass" { "pass ok".to_owned() } else { wanted.verdict.clone() };
    // A check that is skipped for one endpoint may be tested for another: the tested ones are meant.
    let meant: Vec<&&Value> = match found.iter().filter(|outcome| tested(outcome)).collect::<Vec<_>>() {
        tested if tested.is_empty() => found.iter().collect(),
        tested => tested,
    };
    if meant.is_empty() {
        return Ok(vec![Row::new(name, expected, "(no such flow)")]);
    }
    let mut rows = Vec::new();
    for outcome in meant {
        rows.push(Row::new(name, &expected, verdict(outcome)));
        let path = &outcome["path"];
        // A flow of which nothing is said was rejected by nobody.
        let by = wanted.rejected_by.as_deref().unwrap_or(NOTHING);
        rows.push(Row::new(format!("{name} rejected by"), fill.fill(by)?, sender(&path["rejected_by"])));
        if let Some(hop) = &wanted.last_hop {
            rows.push(Row::new(format!("{name} last hop"), fill.fill(hop)?, word(&path["last_hop"]["address"])));
        }
        if let Some(confidence) = &wanted.confidence {
            rows.push(Row::new(format!("{name} confidence"), confidence, word(&outcome["confidence"])));
        }
        for (fact, value) in &wanted.facts {
            let value = match value.as_str() {
                Some(text) => Value::from(fill.fill(text)?),
                None => value.clone(),
            };
            rows.push(Row::new(format!("{name} {fact}"), value.to_string(), outcome["facts"][fact].to_string()));
        }
        let said = format!("{} {}", word(&outcome["sentence"]), word(&outcome["remedy"]["text"]));
        for words in &wanted.says {
            let words = fill.fill(words)?;
            let found = if said.contains(&words) { words.clone() } else { said.clone() };
            rows.push(Row::new(format!("{name} says"), words, found));
        }
    }
    Ok(rows)
}

/// Who sent an ICMP message; `somebody` where the system did not tell.
fn sender(icmp: &Value) -> String {
    if icmp.is_null() { NOTHING.to_owned() } else { icmp["from"].as_str().unwrap_or("somebody").to_owned() }
}

fn findings(expect: &Expect, record: &Value) -> Vec<Row> {
    let line = |code: &str, mut checks: Vec<String>| {
        checks.sort();
        format!("{code} ({})", checks.join(", "))
    };
    let mut expected: Vec<String> =
        expect.findings.iter().flatten().map(|(code, checks)| line(code, checks.clone())).collect();
    let found = record["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<String> = found
        .iter()
        .map(|finding| {
            let checks = finding["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
            line(&word(&finding["code"]), checks.iter().map(word).collect())
        })
        .collect();
    expected.sort();
    found.sort();
    vec![Row::new("findings", expected.join("; "), found.join("; "))]
}
