//! Text to a [`Node`] tree, within fixed limits: no file can make this slow, large or deep.
//!
//! Scalars follow the YAML 1.2 core schema: only `true` and `false` are booleans, `yes`, `no`, `on` and `off` are text.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::node::{Content, Entry, Node};
use super::problem::{Place, Problem, Problems, Source};
use super::scalar::plain;
use super::scan_error::in_plain_words;

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 1 << 20;
/// The most keys and values that one file may have, those that its aliases repeat included.
const MOST_VALUES: usize = 20_000;
/// The most levels of lists and maps.
const DEEPEST: usize = 32;

/// Reads one YAML document.
///
/// # Errors
/// Every problem found: the parser's first, and before it duplicate keys, tags and the like.
pub fn read(source: &Arc<Source>) -> Result<Node, Problems> {
    let mut builder = Builder::new(source);
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    for event in Parser::new_from_str_with_options(&source.text, options) {
        let step = match event {
            Ok((event, span)) => builder.take(event, span.start, span.tag_start),
            Err(error) => builder.stop_at(&error),
        };
        if step.is_err() || builder.problems.is_full() {
            break;
        }
    }
    builder.finish()
}

/// Reading ends here; the reason is among the problems.
struct Stop;

/// A list or map that is still open.
enum Open {
    List { items: Vec<Node> },
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The line of each key written so far.
    lines: HashMap<String, usize>,
    /// The key whose value comes next.
    key: Option<Key>,
    /// The maps named by `<<`, to take keys from when the map ends.
    merged: Vec<Node>,
}

enum Key {
    Named(String, Place),
    /// `<<`: the value is a map to take keys from.
    Merge(Place),
    /// Not usable; already reported.
    Bad,
}

struct Level {
    place: Place,
    anchor: usize,
    open: Open,
}

struct Builder {
    source: Arc<Source>,
    levels: Vec<Level>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    values: usize,
    problems: Problems,
}

impl Builder {
    fn new(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            levels: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            values: 0,
            problems: Problems::default(),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        Place { source: Arc::clone(&self.source), line: marker.line(), column: marker.col() + 1 }
    }

    fn take(&mut self, event: Event<'_>, at: Marker, tag_at: Option<Marker>) -> Result<(), Stop> {
        let place = self.place(at);
        let tag_place = tag_at.map_or_else(|| place.clone(), |at| self.place(at));
        match event {
            Event::DocumentStart(..) => self.document(&place),
            Event::Scalar(text, style, anchor, tag) => {
                let forced = self.tag(tag.as_deref(), &tag_place);
                let content =
                    if forced || style != ScalarStyle::Plain { Content::Text(text.into()) } else { plain(&text) };
                self.value(Node::new(place, content), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), &tag_place);
                self.open(place, anchor, Open::List { items: Vec::new() })
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), &tag_place);
                self.open(place, anchor, Open::Map(OpenMap::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, place),
            Event::UnresolvedAlias(name) => {
                self.problems.push(place.problem(
                    format!("`*{name}` repeats something that is not named before it"),
                    format!("name it first with `&{name}`, or put the text in quotes if the star belongs to it"),
                ));
                self.value(Node::empty_map(place), 0)
            }
            _ => Ok(()),
        }
    }

    fn document(&mut self, place: &Place) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let remedy = "keep one document in a file: remove the `---` line, or split the file";
        self.problems.push(place.problem("a second document starts here", remedy));
        Err(Stop)
    }

    /// Reports tags, of which only `!!str` and the like mean anything here; says whether the value is forced to be text.
    fn tag(&mut self, tag: Option<&Tag>, place: &Place) -> bool {
        let Some(tag) = tag else { return false };
        let known = ["bool", "float", "int", "map", "null", "seq", "str"];
        match tag.core_suffix() {
            Some(suffix) if known.contains(&suffix) => suffix == "str",
            _ => {
                self.problems.push(
                    place.problem("tags such as this one mean nothing here", "remove the word that starts with `!`"),
                );
                false
            }
        }
    }

    fn open(&mut self, place: Place, anchor: usize, open: Open) -> Result<(), Stop> {
        if self.levels.len() >= DEEPEST {
            self.problems.push(too_deep(&place));
            return Err(Stop);
        }
        self.levels.push(Level { place, anchor, open });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        let content = match level.open {
            Open::List { items } => Content::List(items),
            Open::Map(map) => Content::Map(map.closed()),
        };
        self.value(Node::new(level.place, content), level.anchor)
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(), Stop> {
        let Some((depth, count)) = self.anchors.get(&id).map(|named| (named.depth(), named.count())) else {
            self.problems
                .push(place.problem("this repeats the very value that it stands in", "write the value out here"));
            return self.value(Node::new(place, Content::Null), 0);
        };
        if self.levels.len() + depth > DEEPEST {
            self.problems.push(too_deep(&place));
            return Err(Stop);
        }
        self.values += count;
        self.within_limit(&place)?;
        let repeated = self.anchors.get(&id).cloned();
        self.value(repeated.unwrap_or_else(|| Node::new(place, Content::Null)), 0)
    }

    fn within_limit(&mut self, place: &Place) -> Result<(), Stop> {
        if self.values <= MOST_VALUES {
            return Ok(());
        }
        let remedy = "take values out; a list of hosts may be written as `hosts: [a, b, c]`";
        self.problems.push(place.problem(format!("there are more than {MOST_VALUES} values up to here"), remedy));
        Err(Stop)
    }

    /// Puts a finished value where it belongs: into the open list or map, or at the top.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.values += 1;
        self.within_limit(&node.place)?;
        if anchor != 0 {
            self.values += node.count();
            self.within_limit(&node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.levels.last_mut().map(|level| &mut level.open) {
            None => self.root = Some(node),
            Some(Open::List { items }) => items.push(node),
            Some(Open::Map(map)) => map.take(node, &mut self.problems),
        }
        Ok(())
    }

    fn stop_at(&mut self, error: &ScanError) -> Result<(), Stop> {
        let place = self.place(*error.marker());
        let problem = match error.kind() {
            ErrorKind::RecursionLimitExceeded => too_deep(&place),
            kind => {
                let (message, remedy) = in_plain_words(kind);
                place.problem(message, remedy)
            }
        };
        self.problems.push(problem);
        Err(Stop)
    }

    fn finish(self) -> Result<Node, Problems> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let start = Place { source: self.source, line: 1, column: 1 };
        match self.root {
            Some(node) if !node.is_null() => Ok(node),
            _ => {
                let remedy = "write `extends: miradore`, and the hosts under `endpoints:`";
                Err(start.problem("there is nothing in this file", remedy).into())
            }
        }
    }
}

impl OpenMap {
    /// Takes a key or a value, whichever is due.
    fn take(&mut self, node: Node, problems: &mut Problems) {
        match self.key.take() {
            None => self.key = Some(self.named(node, problems)),
            Some(Key::Named(key, place)) => self.entries.push(Entry { key, place, value: node }),
            Some(Key::Merge(place)) => self.merge(node, &place, problems),
            Some(Key::Bad) => {}
        }
    }

    fn named(&mut self, node: Node, problems: &mut Problems) -> Key {
        let name = match node.content {
            Content::Text(text) => text,
            Content::Number(_, written) => written,
            Content::Bool(value) => value.to_string(),
            Content::Null | Content::List(_) | Content::Map(_) => {
                problems.push(node.place.problem("a key must be a word", "write `key: value`"));
                return Key::Bad;
            }
        };
        if name == "<<" {
            return Key::Merge(node.place);
        }
        if let Some(first) = self.lines.get(&name) {
            let message = format!("`{name}` is written twice in the same map; first in line {first}");
            problems.push(node.place.problem(message, "keep one of the two"));
            return Key::Bad;
        }
        self.lines.insert(name.clone(), node.place.line);
        Key::Named(name, node.place)
    }

    fn merge(&mut self, node: Node, place: &Place, problems: &mut Problems) {
        let maps = match node.content {
            Content::List(items) => items,
            _ => vec![node],
        };
        if maps.iter().all(Node::is_map) {
            self.merged.extend(maps);
        } else {
            let remedy = "write `<<: *name`, and `&name` before that map";
            problems.push(place.problem("`<<` takes over the keys of a map, and this is none", remedy));
        }
    }

    /// The entries, with those of merged maps that are not written here.
    fn closed(mut self) -> Vec<Entry> {
        for entry in self.merged.into_iter().flat_map(Node::into_entries) {
            if self.lines.insert(entry.key.clone(), entry.place.line).is_none() {
                self.entries.push(entry);
            }
        }
        self.entries
    }
}

fn too_deep(place: &Place) -> Problem {
    place.problem(
        format!("lists and maps are nested more than {DEEPEST} levels deep here"),
        "close the brackets that are left open; a profile needs six levels at most",
    )
}
