//! What was not tested, briefly: flows with one reason together, and what nobody needs apart from the rest.

use super::super::page::{Cell, Page, Paint};
use super::{MARK, distinct, mark};
use crate::model::code::Code;
use crate::model::finding::Status;
use crate::model::run::Outcome;

/// Skipped flows with one reason.
struct Skipped<'a> {
    /// The reason with `ENDPOINT` in place of the endpoint's name.
    pattern: String,
    outcomes: Vec<&'a Outcome>,
}

impl Skipped<'_> {
    /// The reason as it was given, where it was given in the same words for all.
    fn common(&self) -> Option<&str> {
        let first = &self.outcomes.first()?.sentence;
        self.outcomes.iter().all(|outcome| outcome.sentence == *first).then_some(first)
    }

    fn reason(&self) -> &str {
        self.common().unwrap_or(&self.pattern)
    }

    /// The checks, with their endpoints where those make the difference.
    fn names(&self) -> String {
        let name = |outcome: &&Outcome| match self.common() {
            Some(_) => outcome.check.clone(),
            None => format!("{} ({})", outcome.check, outcome.endpoint),
        };
        let names: Vec<String> = self.outcomes.iter().map(name).collect();
        distinct(names.iter().map(String::as_str)).join(", ")
    }
}

/// Skipped flows, by what that means for the reader.
pub(super) fn write(page: &mut Page, outcomes: &[Outcome]) {
    for heading in [HELD_UP, ELSEWHERE, NOT_NEEDED] {
        section(page, heading, outcomes);
    }
}

const HELD_UP: &str = "Not tested, because something before it failed";
const ELSEWHERE: &str = "Not tested from here";
const NOT_NEEDED: &str = "Not needed";

/// The heading under which a skipped flow stands.
fn heading(outcome: &Outcome) -> &'static str {
    match outcome.code {
        Code::Ok => NOT_NEEDED,
        Code::PrerequisiteFailed => HELD_UP,
        _ => ELSEWHERE,
    }
}

/// Whether the profile has no use for the flow.
pub(super) fn is_not_needed(outcome: &Outcome) -> bool {
    outcome.status == Status::Skip && heading(outcome) == NOT_NEEDED
}

/// The flows under one heading, those with one reason together.
fn section(page: &mut Page, title: &str, outcomes: &[Outcome]) {
    let mut groups: Vec<Skipped> = Vec::new();
    let listed = outcomes.iter().filter(|outcome| outcome.status == Status::Skip && heading(outcome) == title);
    for outcome in listed {
        let pattern = without_endpoint(&outcome.sentence, &outcome.endpoint);
        match groups.iter_mut().find(|group| group.pattern == pattern) {
            Some(group) => group.outcomes.push(outcome),
            None => groups.push(Skipped { pattern, outcomes: vec![outcome] }),
        }
    }
    if groups.is_empty() {
        return;
    }
    page.heading(title);
    for group in groups {
        let lead = [Cell::new("  ", Paint::Plain), mark(page, Status::Skip), Cell::new("  ", Paint::Plain)];
        page.wrapped(&lead, 4 + MARK, &group.names(), Paint::Strong);
        page.wrapped(&[Cell::new(" ".repeat(4 + MARK), Paint::Plain)], 4 + MARK, group.reason(), Paint::Plain);
    }
}

/// The sentence with the endpoint's name, where it stands as a word of its own, replaced by `ENDPOINT`.
fn without_endpoint(sentence: &str, endpoint: &str) -> String {
    if endpoint.is_empty() {
        return sentence.to_owned();
    }
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    let (mut out, mut rest) = (String::new(), sentence);
    while let Some(at) = rest.find(endpoint) {
        let (before, after) = (&rest[..at], &rest[at + endpoint.len()..]);
        let whole = !part_of_name(before.chars().next_back().or(out.chars().next_back()))
            && !part_of_name(after.chars().next());
        out.push_str(before);
        out.push_str(if whole { "ENDPOINT" } else { endpoint });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoints_name_is_replaced_only_where_it_is_a_word() {
        let sentence = "names no host for `server`; name it: --set server.host=NAME (not sql-server, not servers)";
        let pattern = "names no host for `ENDPOINT`; name it: --set ENDPOINT.host=NAME (not sql-server, not servers)";
        assert_eq!(without_endpoint(sentence, "server"), pattern);
        assert_eq!(without_endpoint(sentence, ""), sentence);
    }
}
