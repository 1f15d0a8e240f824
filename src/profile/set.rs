//! `--set endpoint.key=value`: one value of a profile, given on the command line.

use std::sync::Arc;

use super::layers::{Stacked, change};
use super::node::{Content, Entry, Node};
use super::problem::{Place, Problem, Problems, Source, without_secrets};
use super::suggest::did_you_mean;
use super::{scalar, schema, shape, yaml};

/// `--set` texts that have the right form.
struct Set {
    source: Arc<Source>,
    /// The words between the dots, with the column of each.
    path: Vec<(String, usize)>,
    /// The column of the value.
    value: usize,
}

/// Lays every `--set` over the profile, the later over the earlier.
pub(super) fn apply(stacked: &mut Stacked, sets: &[String], check_ids: &[String], problems: &mut Problems) {
    let parsed: Vec<Set> =
        sets.iter().filter_map(|text| parse(text).map_err(|problem| problems.push(problem)).ok()).collect();
    for set in &parsed {
        match target(set, stacked, check_ids, &parsed) {
            Err(problem) => problems.push(problem),
            Ok(target) => lay(stacked, set, target, problems),
        }
    }
}

fn parse(text: &str) -> Result<Set, Problem> {
    let source = Source { name: format!("--set {}", without_secrets(text)), folder: None, text: text.to_owned() };
    let source = Arc::new(source);
    let form = "write `--set endpoint.key=value`, such as `--set server.host=mdm.example.com`";
    let place = |column| Place { source: Arc::clone(&source), line: 1, column };
    let Some((left, _)) = text.split_once('=') else { return Err(place(1).problem("there is no `=` in it", form)) };
    let mut path = Vec::new();
    let mut column = 1;
    for word in left.split('.') {
        if word.is_empty() || word.contains(char::is_whitespace) {
            return Err(place(column).problem("a word is missing before the `=`", form));
        }
        path.push((word.to_owned(), column));
        column += word.chars().count() + 1;
    }
    if path.len() < 2 {
        return Err(place(1).problem("it does not say which key is meant", form));
    }
    Ok(Set { source, path, value: column })
}

/// What the first word of a path names.
#[derive(Clone, Copy)]
enum Target {
    Endpoint,
    Check,
    Settings,
}

impl Target {
    /// The key of the profile that holds such things.
    fn key(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoints",
            Self::Check => "checks",
            Self::Settings => "settings",
        }
    }
}

fn target(set: &Set, stacked: &Stacked, check_ids: &[String], all: &[Set]) -> Result<Target, Problem> {
    let (name, column) = &set.path[0];
    let keys = |of: &str| -> Vec<&str> {
        stacked.root.get(of).map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect()
    };
    let (endpoints, roles) = (keys("endpoints"), keys("roles"));
    let given_a_role = |other: &Set| other.path[0].0 == *name && other.path[1].0 == "role";
    if endpoints.contains(&name.as_str()) || roles.contains(&name.as_str()) || all.iter().any(given_a_role) {
        return Ok(Target::Endpoint);
    }
    let checks: Vec<&str> =
        check_ids.iter().map(String::as_str).chain(stacked.choices.iter().map(|choice| choice.id.as_str())).collect();
    if checks.contains(&name.as_str()) {
        return Ok(Target::Check);
    }
    if name == "settings" {
        return Ok(Target::Settings);
    }
    let known = endpoints.iter().chain(&roles).chain(&checks).copied().chain(["settings"]);
    let near = did_you_mean(name, known);
    let remedy =
        format!("for a new endpoint, also say its role: `--set {name}.role=…`; endpoints: {}", endpoints.join(", "));
    let place = Place { source: Arc::clone(&set.source), line: 1, column: *column };
    Err(place.problem(format!("the profile has no endpoint or check `{name}`{near}"), remedy))
}

fn lay(stacked: &mut Stacked, set: &Set, target: Target, problems: &mut Problems) {
    let value = match value(set) {
        Ok(value) => value,
        Err(found) => return problems.extend(found),
    };
    let as_read = layer(set, target, value);
    let found = shape::check(&as_read, &schema::PROFILE);
    let accepted = if found.is_empty() { Some(as_read) } else { layer_as_text(set, target) };
    let Some(layer) = accepted else { return problems.extend(found) };
    if !matches!(target, Target::Check) {
        let root = std::mem::replace(&mut stacked.root, Node::empty_map(layer.place.clone()));
        stacked.root = root.overlaid(layer);
        return;
    }
    for entry in layer.into_entries().into_iter().flat_map(|checks| checks.value.into_entries()) {
        change(&mut stacked.choices, &entry.key, &entry.place, entry.value);
    }
}

/// The same with the value as text, where that is what is wanted: an instance called `2019`.
fn layer_as_text(set: &Set, target: Target) -> Option<Node> {
    let place = Place { source: Arc::clone(&set.source), line: 1, column: set.value };
    let text = set.source.text.split_once('=').map(|(_, value)| value.to_owned())?;
    let layer = layer(set, target, Node::new(place, Content::Text(text)));
    shape::check(&layer, &schema::PROFILE).is_empty().then_some(layer)
}

/// The value: a list, a map or a quoted text as YAML writes it, anything else as one word.
fn value(set: &Set) -> Result<Node, Problems> {
    let place = Place { source: Arc::clone(&set.source), line: 1, column: set.value };
    let text = set.source.text.split_once('=').map(|(_, value)| value).unwrap_or_default();
    if !text.starts_with(['[', '{', '"', '\'']) {
        return Ok(Node::new(place, scalar::plain(text)));
    }
    let inner = Arc::new(Source { name: set.source.name.clone(), folder: None, text: text.to_owned() });
    yaml::read(&inner).map(|node| Node::new(place.clone(), node.content)).map_err(|found| {
        let at = |problem: Problem| {
            let column = problem.column + set.value - 1;
            Problem { column, ..place.problem(problem.message, problem.remedy) }
        };
        Problems(found.0.into_iter().map(at).collect())
    })
}

/// The value under its path, as a profile of its own.
fn layer(set: &Set, target: Target, value: Node) -> Node {
    let place = |column| Place { source: Arc::clone(&set.source), line: 1, column };
    let words = if matches!(target, Target::Settings) { &set.path[1..] } else { &set.path[..] };
    let inner = words.iter().rev().fold(value, |value, (word, column)| {
        let entry = Entry { key: word.clone(), place: place(*column), value };
        Node::new(place(*column), Content::Map(vec![entry]))
    });
    let entry = Entry { key: target.key().to_owned(), place: place(1), value: inner };
    Node::new(place(1), Content::Map(vec![entry]))
}
