//! Reading sources as text: code without comments and strings, its functions, and the modules that it names.

use std::path::Path;

/// A file of this package.
#[derive(Clone)]
pub struct Source {
    /// From the package's folder, with `/`.
    pub path: String,
    pub text: String,
    /// The text with comments, strings and characters blanked out; every line stays where it is.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blanked(text) }
    }

    /// The code before the unit tests.
    pub fn shipped(&self) -> &str {
        self.code.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// The module that the file is, from the crate's root: `report::table` for `src/report/table/mod.rs`.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inside.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main")).collect()
    }

    /// The modules at the crate's root that the code names, by `crate::` or by as many `super::` as lead there.
    pub fn roots(&self) -> Vec<String> {
        let up = "super::".repeat(self.module().len());
        let mut roots: Vec<String> = named(self.shipped(), "crate::");
        if !up.is_empty() {
            roots.extend(named(self.shipped(), &up));
        }
        roots.sort();
        roots.dedup();
        roots
    }

    /// Every function with its number of lines.
    pub fn functions(&self) -> Vec<(String, usize)> {
        let starts = self.code.match_indices("fn ").filter(|(at, _)| !part_of_word(&self.code[..*at]));
        starts.filter_map(|(at, _)| function(&self.code[at..])).collect()
    }

    /// Whether the shipped code holds this text, not as a part of a longer word.
    pub fn says(&self, what: &str) -> bool {
        self.shipped().match_indices(what).any(|(at, _)| !part_of_word(&self.shipped()[..at]))
    }
}

/// Every Rust file below a folder of the package.
pub fn all(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the package") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source is text");
                let inside = path.strip_prefix(root).expect("below the package");
                sources.push(Source::new(&inside.to_string_lossy().replace('\\', "/"), &text));
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn part_of_word(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The words that follow `prefix`, a group in braces opened up.
fn named(code: &str, prefix: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let before_ok = |before: &str| !part_of_word(before) && !before.ends_with('$') && !before.ends_with("super::");
    let found = code.match_indices(prefix).filter(|(at, _)| before_ok(&code[..*at]));
    let mut names: Vec<String> = Vec::new();
    for (at, _) in found {
        let rest = code[at + prefix.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => names.extend(top_level(group).into_iter().map(|part| word(part.trim()))),
            None => names.push(word(rest)),
        }
    }
    // Only what is in lower case is a module; `crate::X` itself is a re-export of the root, of which there are none.
    names.retain(|name| !name.is_empty() && name != "super" && name != "self");
    names
}

/// The parts of a group `a::{b, c}, d}` between commas that are not inside of inner braces.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// The name of the function that begins here, and its lines; nothing where it has no body or no name.
fn function(code: &str) -> Option<(String, usize)> {
    let name: String = code[3..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return None;
    }
    let (mut nested, mut braces) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' if nested == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return Some((name, code[..=at].lines().count()));
                }
            }
            _ => {}
        }
    }
    None
}

/// The text with everything that is not code turned into blanks.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    out
}

/// The bytes of the comment, string or character that begins here; 0 where code goes on.
fn skipped(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let quoted = |start: usize, end: &str| text[start..].find(end).map_or(text.len(), |at| start + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return quoted(2, "*/");
    }
    if !in_word && text.starts_with('r') || text.starts_with("br") {
        let hashes = text.trim_start_matches('b')[1..].chars().take_while(|c| *c == '#').count();
        let start = text.find('r').unwrap_or_default() + 1 + hashes;
        if text[start..].starts_with('"') {
            return quoted(start + 1, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    match text.as_bytes()[0] {
        b'"' => until_quote(text, '"'),
        b'\'' if text[1..].starts_with('\\') || text[1..].chars().nth(1) == Some('\'') => until_quote(text, '\''),
        _ => 0,
    }
}

/// The bytes up to the quote that ends what begins with one; a backslash takes the next character along.
fn until_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let text = "a // println!\n\"x \\\" unsafe\" b r#\"{ \" }\"# '{' 'a: '\\'' /* fn x */ c";
    let code = blanked(text);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "'a:", "c"]);
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn modules_are_found_however_they_are_named() {
    let text = "use crate::model::{a, b};\nuse super::super::net::Net;\nuse crate::{wire, sys::{x, y}};\n\
                fn f() { crate::report::render(); $crate::plan::x(); super::judge::y() }\n#[cfg(test)]\nuse crate::cli;";
    assert_eq!(Source::new("src/probe/http.rs", text).roots(), ["model", "net", "report", "sys", "wire"]);
}

#[test]
fn functions_are_measured_from_their_name_to_their_last_brace() {
    let text = "trait T { fn none(&self) -> [u8; 2]; }\nfn short() {}\npub fn long(x: fn(u8) -> u8)\nwhere\n{\n  if x { y }\n}\n";
    let functions = Source::new("src/x.rs", text).functions();
    assert_eq!(functions, [("short".to_owned(), 1), ("long".to_owned(), 5)]);
}
