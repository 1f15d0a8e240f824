//! What is wrong with a profile or a check: where, what, and what to write instead.
//!
//! Everything that is shown here passes through [`without_secrets`], since people do write passwords into profiles.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The most problems that are told at once; whoever has more has another kind of problem.
pub(super) const MOST: usize = 100;
/// The longest piece of a source line that a problem shows, in characters.
const SHOWN: usize = 160;

/// One mistake in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, `built-in checks/NAME.yaml`, or `--set TEXT`.
    pub file: String,
    /// From 1; 0 where the problem is the file itself.
    pub line: usize,
    /// From 1, in characters; 0 where the problem is the file itself.
    pub column: usize,
    /// The line as written, or the piece of a long one around the column, without secrets.
    pub source_line: String,
    pub message: String,
    pub remedy: String,
}

impl Problem {
    /// A problem of a file as a whole: it is missing, too large, not text.
    #[must_use]
    pub fn of_file(file: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            source_line: String::new(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}\n  remedy: {}", self.file, self.message, self.remedy);
        }
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        let (shown, caret) = window(&self.source_line, self.column);
        writeln!(f, "  | {shown}")?;
        writeln!(f, "  | {caret}^")?;
        write!(f, "  remedy: {}", self.remedy)
    }
}

/// The piece of the line around the column, and the blanks that bring a caret under it.
fn window(line: &str, column: usize) -> (String, String) {
    let length = line.chars().count();
    let at = column.saturating_sub(1).min(length);
    let from = if length <= SHOWN { 0 } else { at.saturating_sub(SHOWN / 2).min(length - SHOWN) };
    let (before, after) = (if from > 0 { "…" } else { "" }, if from + SHOWN < length { "…" } else { "" });
    let piece: String = line.chars().skip(from).take(SHOWN).collect();
    let blanks = before.chars().chain(piece.chars()).take(at - from + before.chars().count());
    let blanks = blanks.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    (format!("{before}{piece}{after}"), blanks)
}

/// Every problem found, in the order of the files and lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no more problems are taken, so that looking for more is of no use.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Adds a problem unless the same one is there already, as when a file is read on two ways.
    pub fn push(&mut self, problem: Problem) {
        if !self.is_full() && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    pub fn extend(&mut self, more: Problems) {
        for problem in more.0 {
            self.push(problem);
        }
    }

    /// Sorts by line and column, file by file in the order in which the files first appear.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let mut files: Vec<String> = Vec::new();
        for problem in &self.0 {
            if !files.contains(&problem.file) {
                files.push(problem.file.clone());
            }
        }
        let rank = |file: &str| files.iter().position(|known| known == file);
        self.0.sort_by_key(|problem| (rank(&problem.file), problem.line, problem.column));
        self
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A text that was read, and what it is called in problems.
pub struct Source {
    /// As shown; without secrets.
    pub name: String,
    /// The folder that relative paths written in the text start from.
    pub folder: Option<PathBuf>,
    pub text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A place in a text: line and column from 1, in characters.
#[derive(Debug, Clone)]
pub struct Place {
    pub source: Arc<Source>,
    pub line: usize,
    pub column: usize,
}

impl Place {
    #[must_use]
    pub fn problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            file: self.source.name.clone(),
            line: self.line,
            column: self.column,
            source_line: without_secrets(line_of(&self.source.text, self.line)),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// The line with this number, from 1; lines end as in YAML, with CR LF, LF or CR.
fn line_of(text: &str, number: usize) -> &str {
    let mut rest = text;
    for _ in 1..number {
        let Some(end) = rest.find(['\r', '\n']) else { return "" };
        let width = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
    }
    rest.split(['\r', '\n']).next().unwrap_or_default()
}

/// Words that stand in the keys of secrets.
const SECRET_WORDS: [&str; 6] = ["pass", "pasword", "kennwort", "secret", "token", "pwd"];

/// The text without what follows a secret's key, and without the user part of URLs.
#[must_use]
pub fn without_secrets(line: &str) -> String {
    without_users(&line[..first_secret(line).unwrap_or(line.len())], first_secret(line).is_some())
}

/// Where the first secret that is written in clear begins.
fn first_secret(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let keys = SECRET_WORDS.iter().flat_map(|word| lower.match_indices(word)).map(|(at, word)| at + word.len());
    keys.filter_map(|key| {
        let value = key + line[key..].find([':', '='])? + 1;
        let written = line[value..].trim_start();
        let inner = written.trim_start_matches('{').trim_start();
        let reference =
            written.starts_with('{') && ["env", "file", "prompt"].iter().any(|word| inner.starts_with(word));
        (!written.is_empty() && !reference).then(|| line.len() - written.len())
    })
    .min()
}

fn without_users(line: &str, cut: bool) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        let end = rest[start..].find([' ', '/', '"', '\'', ',', ']', '}']).map_or(rest.len(), |at| start + at);
        shown.push_str(&rest[..start]);
        match rest[start..end].rfind('@') {
            Some(at) => {
                shown.push('…');
                shown.push_str(&rest[start + at..end]);
            }
            None => shown.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    shown.push_str(rest);
    if cut {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (written, shown) in [
            ("  password: hunter2", "  password: …"),
            ("{ user: a, Password: \"hunter2\", share: b }", "{ user: a, Password: …"),
            ("sql-server.password=hunter2", "sql-server.password=…"),
            ("proxy: http://me:hunter2@proxy:3128/", "proxy: http://…@proxy:3128/"),
            ("password: { value: hunter2 }", "password: …"),
            ("password: { env: SQL_PASSWORD }", "password: { env: SQL_PASSWORD }"),
            ("{ proxy-password: { env: A }, password: hunter2 }", "{ proxy-password: { env: A }, password: …"),
            ("passphrase: hunter2", "passphrase: …"),
            ("[http://a:hunter2@b:1, http://c:hunter2@d:2]", "[http://…@b:1, http://…@d:2]"),
            ("http://a:hunter2@b:1 password=hunter2", "http://…@b:1 password=…"),
            ("host: sql1", "host: sql1"),
        ] {
            assert_eq!(without_secrets(written), shown);
        }
    }

    #[test]
    fn a_long_line_is_shown_around_its_column() {
        let line = format!("{}WRONG{}", "a".repeat(500), "b".repeat(500));
        let (shown, caret) = window(&line, 501);
        assert!(shown.chars().count() <= SHOWN + 2 && shown.contains("WRONG"), "{shown}");
        assert_eq!(shown.chars().nth(caret.chars().count()), Some('W'));
    }

    #[test]
    fn lines_end_with_any_of_the_three_endings() {
        for text in ["a\nb\nc", "a\r\nb\r\nc", "a\rb\rc"] {
            assert_eq!((line_of(text, 2), line_of(text, 3), line_of(text, 9)), ("b", "c", ""));
        }
    }
}
