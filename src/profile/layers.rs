//! A profile and everything that it extends, down to the last base, laid on one another.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalog::{self, Catalog, From, Kind};
use super::node::{Content, Entry, Node};
use super::problem::{Place, Problem, Problems, Source};
use super::suggest::did_you_mean;
use super::{schema, shape, yaml};

/// The most profiles that may extend one another.
const LONGEST: usize = 16;

/// A profile with its bases under it.
#[derive(Debug)]
pub(super) struct Stacked {
    /// The built-in name, or the file's stem.
    pub name: String,
    /// Everything but the checks, joined.
    pub root: Node,
    /// The checks that are taken in or left out, in order.
    pub choices: Vec<Choice>,
}

/// What a profile says of one check.
#[derive(Debug)]
pub(super) struct Choice {
    pub id: String,
    /// Where it is said last.
    pub place: Place,
    pub taken: bool,
    /// What is changed in the check, or a whole check.
    pub changes: Option<Node>,
}

/// A file on the way from the profile down to its last base.
struct Link {
    source: Arc<Source>,
    /// The same for the same file, however it is named.
    identity: String,
    /// `extends` in the file above.
    asked_at: Option<Place>,
}

/// Reads a profile by reference, and its bases.
///
/// # Errors
/// The problems of all files on the way.
pub(super) fn read(reference: &str, catalog: &Catalog) -> Result<Stacked, Problems> {
    let first = open(reference, None, catalog).map_err(|(message, remedy)| match message {
        Refusal::Unknown(message) => Problem::of_file(reference, message, remedy),
        Refusal::Unreadable(problem) => *problem,
    })?;
    read_from(first, stem(reference), catalog)
}

/// Reads a profile that is at hand as text, and its bases.
///
/// # Errors
/// As [`read`].
pub(super) fn read_text(source: Arc<Source>, catalog: &Catalog) -> Result<Stacked, Problems> {
    let (name, identity) = (stem(&source.name), identity(&source));
    read_from(Link { source, identity, asked_at: None }, name, catalog)
}

fn read_from(first: Link, name: String, catalog: &Catalog) -> Result<Stacked, Problems> {
    let (layers, problems) = follow(first, catalog);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut choices = Vec::new();
    let mut root: Option<Node> = None;
    for mut layer in layers.into_iter().rev() {
        choose(&mut choices, take(&mut layer, "checks"));
        take(&mut layer, "extends");
        fill_endpoints(&mut layer);
        root = Some(match root {
            Some(below) => below.overlaid(layer),
            None => layer.without_nulls(),
        });
    }
    let root = root.ok_or_else(|| Problem::of_file(&name, "the profile is empty", "write a profile"))?;
    Ok(Stacked { name, root, choices })
}

/// Reads the file and its bases, the file itself first.
fn follow(first: Link, catalog: &Catalog) -> (Vec<Node>, Problems) {
    let (mut layers, mut links, mut problems) = (Vec::new(), vec![first], Problems::default());
    let mut next = 0;
    while let Some(link) = links.get(next) {
        let before = problems.0.len();
        let node = read_layer(&link.source, &mut problems);
        if problems.0.len() > before && next > 0 {
            problems.push(faulty_base(&links));
        }
        let Some(node) = node else { break };
        let extends = node.get("extends").and_then(|base| Some((base.text()?.to_owned(), base.place.clone())));
        layers.push(node);
        next += 1;
        let Some((reference, place)) = extends else { break };
        match open(&reference, links.last(), catalog) {
            Err((Refusal::Unknown(message), remedy)) => problems.push(place.problem(message, remedy)),
            Err((Refusal::Unreadable(problem), _)) => {
                problems.push(place.problem(format!("`extends: {reference}`: {}", problem.message), problem.remedy));
            }
            Ok(base) => match refusal(&links, &base) {
                Some((message, remedy)) => problems.push(place.problem(message, remedy)),
                None => links.push(Link { asked_at: Some(place), ..base }),
            },
        }
    }
    (layers, problems)
}

fn read_layer(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    match yaml::read(source) {
        Ok(node) => {
            problems.extend(shape::check(&node, &schema::PROFILE));
            Some(node)
        }
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// Why a base may not be taken: a circle, or a chain without end.
fn refusal(links: &[Link], base: &Link) -> Option<(String, String)> {
    if links.iter().any(|link| link.identity == base.identity) {
        let message = format!("`extends` goes round in a circle: {} -> {}", chain(links), base.source.name);
        return Some((message, "remove one `extends:` of the circle".to_owned()));
    }
    (links.len() >= LONGEST).then(|| {
        let message = format!("more than {LONGEST} profiles extend one another: {}", chain(links));
        (message, "extend a base further down directly".to_owned())
    })
}

fn faulty_base(links: &[Link]) -> Problem {
    let message = format!("a profile that this one extends has problems: {}", chain(links));
    let place = links.get(1).and_then(|link| link.asked_at.as_ref());
    let remedy = "correct the base first; its problems are told along with this one";
    match place {
        Some(place) => place.problem(message, remedy),
        None => Problem::of_file(chain(links), message, remedy),
    }
}

fn chain(links: &[Link]) -> String {
    links.iter().map(|link| link.source.name.as_str()).collect::<Vec<_>>().join(" -> ")
}

enum Refusal {
    /// Neither a known name nor a file.
    Unknown(String),
    Unreadable(Box<Problem>),
}

/// Finds what a reference means: a name that the catalog knows, or else a file, relative to the file that asks.
fn open(reference: &str, asking: Option<&Link>, catalog: &Catalog) -> Result<Link, (Refusal, String)> {
    let unreadable = |problem: Problem| (Refusal::Unreadable(Box::new(problem)), String::new());
    let link = |source: Source| Link { identity: identity(&source), source: Arc::new(source), asked_at: None };
    if let Some(found) = catalog.find(Kind::Profile, reference, From::Anywhere) {
        let found = link(found.map_err(unreadable)?);
        let itself = asking.is_some_and(|asking| asking.identity == found.identity);
        let embedded = catalog.find(Kind::Profile, reference, From::Embedded).filter(|_| itself);
        return embedded.transpose().map_err(unreadable).map(|embedded| embedded.map_or(found, link));
    }
    let path = match asking.and_then(|asking| asking.source.folder.as_ref()) {
        Some(folder) => folder.join(reference),
        None => PathBuf::from(reference),
    };
    if catalog::is_name(reference) && !path.is_file() {
        let names = catalog.profile_names();
        let near = did_you_mean(reference, names.iter().map(String::as_str));
        let remedy = format!("name a file, or one of: {}", names.join(", "));
        return Err((Refusal::Unknown(format!("there is no profile `{reference}`{near}")), remedy));
    }
    catalog::read(&path).map(link).map_err(unreadable)
}

fn identity(source: &Source) -> String {
    fs::canonicalize(&source.name).map_or_else(|_| source.name.clone(), |path| path.display().to_string())
}

fn stem(reference: &str) -> String {
    Path::new(reference).file_stem().map_or_else(|| reference.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn take(layer: &mut Node, key: &str) -> Option<Node> {
    let Content::Map(entries) = &mut layer.content else { return None };
    let at = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(at).value)
}

/// An endpoint without anything under it is one without a host, not one to take away.
fn fill_endpoints(layer: &mut Node) {
    let Content::Map(entries) = &mut layer.content else { return };
    let Some(Entry { value: Node { content: Content::Map(endpoints), .. }, .. }) =
        entries.iter_mut().find(|entry| entry.key == "endpoints")
    else {
        return;
    };
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.value.is_null()) {
        endpoint.value = Node::empty_map(endpoint.place.clone());
    }
}

/// A list keeps exactly the checks that it names; a map takes in, leaves out and changes single ones.
fn choose(choices: &mut Vec<Choice>, said: Option<Node>) {
    let Some(said) = said else { return };
    if let Content::List(items) = &said.content {
        let mut kept = Vec::new();
        for (id, place) in items.iter().filter_map(|item| Some((item.text()?, &item.place))) {
            let at = choices.iter().position(|choice| choice.id == id);
            let changes = at.and_then(|at| choices.swap_remove(at).changes);
            kept.push(Choice { id: id.to_owned(), place: place.clone(), taken: true, changes });
        }
        *choices = kept;
        return;
    }
    for Entry { key, place, value } in said.into_entries() {
        change(choices, &key, &place, value);
    }
}

/// Takes in, leaves out or changes one check.
pub(super) fn change(choices: &mut Vec<Choice>, id: &str, place: &Place, value: Node) {
    let taken = !matches!(&value.content, Content::Bool(false)) && value.text() != Some("off");
    let at = choices.iter().position(|choice| choice.id == id).unwrap_or_else(|| {
        choices.push(Choice { id: id.to_owned(), place: place.clone(), taken, changes: None });
        choices.len() - 1
    });
    let choice = &mut choices[at];
    choice.taken = taken;
    choice.place = place.clone();
    if value.is_map() {
        choice.changes = Some(match choice.changes.take() {
            Some(below) => below.overlaid(value),
            None => value,
        });
    }
}
