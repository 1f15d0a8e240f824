//! YAML as a tree in which every key and value knows where it was written, so that problems found after merging
//! still point at the right file and line.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::problem::Place;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Content {
    Null,
    Bool(bool),
    /// The number, and as it was written.
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, where it stands, and its value. Keys of one map are different.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub place: Place,
    pub value: Node,
}

/// Keys whose value is a map with exactly one key: another key there replaces the value instead of joining it.
const ONE_OF: [&str; 3] = ["probe", "password", "proxy-password"];
/// Keys of which the later one puts the earlier one out of force.
const RIVALS: [(&str, &str); 2] = [("host", "hosts"), ("hosts", "host")];

impl Node {
    #[must_use]
    pub fn new(place: Place, content: Content) -> Self {
        Self { place, content }
    }

    #[must_use]
    pub fn empty_map(place: Place) -> Self {
        Self::new(place, Content::Map(Vec::new()))
    }

    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of a map, taken out; none for anything else.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        match self.content {
            Content::Map(entries) => entries,
            _ => Vec::new(),
        }
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Where the value at this path stands; where the path ends early, the last thing found on it.
    #[must_use]
    pub fn place_of(&self, path: &[&str]) -> &Place {
        let mut node = self;
        for key in path {
            match node.get(key) {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.place
    }

    /// The value without places, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value, _) => Value::Number(value.clone()),
            Content::Text(value) => Value::String(value.clone()),
            Content::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Content::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.json())).collect::<Map<_, _>>())
            }
        }
    }

    /// How many levels of lists and maps there are from here down.
    #[must_use]
    pub fn depth(&self) -> usize {
        match &self.content {
            Content::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Content::Map(entries) => 1 + entries.iter().map(|e| e.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// How many values there are from here down, this one included.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.content {
            Content::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Content::Map(entries) => 1 + entries.iter().map(|e| e.value.count()).sum::<usize>(),
            _ => 1,
        }
    }

    /// Lays `over` on this value: maps join key by key, everything else is replaced, an empty value takes a key away.
    #[must_use]
    pub fn overlaid(self, over: Node) -> Node {
        let Content::Map(upper) = over.content else { return over };
        let lower = match self.content {
            Content::Map(entries) => entries,
            _ => Vec::new(),
        };
        Node::new(over.place, Content::Map(overlay(lower, upper)))
    }
}

/// Joins two maps of different layers; keys keep the order in which they first appear.
fn overlay(lower: Vec<Entry>, upper: Vec<Entry>) -> Vec<Entry> {
    let mut joined: Vec<Option<Entry>> = lower.into_iter().map(Some).collect();
    let index: HashMap<String, usize> =
        joined.iter().flatten().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
    for entry in upper {
        for (_, loser) in RIVALS.iter().filter(|(winner, _)| *winner == entry.key) {
            if let Some(at) = index.get(*loser) {
                joined[*at] = None;
            }
        }
        match index.get(&entry.key) {
            Some(at) => {
                let below = joined[*at].take();
                joined[*at] = overlaid_entry(below, entry);
            }
            None => joined.push(overlaid_entry(None, entry)),
        }
    }
    joined.into_iter().flatten().collect()
}

fn overlaid_entry(below: Option<Entry>, over: Entry) -> Option<Entry> {
    if over.value.is_null() {
        return None;
    }
    let value = match below {
        Some(below) if joins(&over, &below.value) => below.value.overlaid(over.value),
        _ => over.value.without_nulls(),
    };
    Some(Entry { value, key: over.key, place: over.place })
}

/// Whether a value joins the one below instead of replacing it.
fn joins(over: &Entry, below: &Node) -> bool {
    over.value.is_map()
        && below.is_map()
        && (!ONE_OF.contains(&over.key.as_str()) || over.value.entries().iter().any(|e| below.get(&e.key).is_some()))
}

impl Node {
    /// The value without the keys that are written but left empty.
    #[must_use]
    pub fn without_nulls(self) -> Node {
        match self.content {
            Content::Map(entries) => {
                let kept = entries.into_iter().filter(|entry| !entry.value.is_null());
                let kept = kept.map(|Entry { key, place, value }| Entry { key, place, value: value.without_nulls() });
                Node::new(self.place, Content::Map(kept.collect()))
            }
            content => Node::new(self.place, content),
        }
    }
}
