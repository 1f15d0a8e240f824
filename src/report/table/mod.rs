//! Text for people: what happened per direction, then what to do, then one line that says it all.

mod closing;
mod evidence;
mod rows;
mod skipped;
mod todo;
mod trail;

use super::Look;
use super::page::{Cell, Page, Paint};
use crate::model::finding::{Status, Who};
use crate::model::flow::Role;
use crate::model::run::{CutShort, Run};

/// The whole report.
pub(super) fn render(run: &Run, look: &Look) -> Vec<u8> {
    let mut page = Page::new(look);
    title(&mut page, run);
    rows::write(&mut page, run);
    todo::write(&mut page, run);
    closing::tasks(&mut page, run);
    skipped::write(&mut page, &run.outcomes);
    closing::totals(&mut page, &run.outcomes);
    closing::verdict(&mut page, &run.outcomes);
    page.finish()
}

fn title(page: &mut Page, run: &Run) {
    let info = &run.run;
    let side = played(run);
    let text = format!(
        "{} {} · profile {} · tested on {}{side} · {} · {}",
        run.tool.name,
        run.tool.version,
        info.profile,
        info.host,
        moment(&info.started),
        trail::span(crate::model::evidence::Millis(info.elapsed_ms.saturating_mul(1000))),
    );
    page.wrapped(&[], 2, &text, Paint::Faint);
    if let Some(peer) = &info.peer {
        let side: Vec<&str> = peer.side.iter().map(Role::as_str).collect();
        page.wrapped(&[], 2, &format!("other side: {} at {}", side.join(" and "), peer.address), Paint::Faint);
    }
    if let Some(cause) = info.cut_short {
        let cause = match cause {
            CutShort::Deadline => "The run reached its deadline before every check had ended.",
            CutShort::Interrupted => "The run was stopped before every check had ended.",
        };
        page.wrapped(&[], 2, cause, Paint::Caution);
    }
}

/// The roles that this machine played, after ` as `; empty where none is told.
fn played(run: &Run) -> String {
    let side = &run.run.side;
    let every = run.outcomes.iter().all(|outcome| side.contains(&outcome.from) && side.contains(&outcome.to));
    match side.as_slice() {
        [] => String::new(),
        [_, _, _, ..] if every => " as every role".to_owned(),
        roles => format!(" as {}", roles.iter().map(Role::as_str).collect::<Vec<_>>().join(" and ")),
    }
}

/// `2026-11-23T02:17:00Z` as people read it.
fn moment(stamp: &str) -> String {
    match stamp.strip_suffix('Z').and_then(|stamp| stamp.split_once('T')) {
        Some((day, time)) => format!("{day}\u{a0}{time}\u{a0}UTC"),
        None => stamp.to_owned(),
    }
}

/// A status as a symbol and a word, wide enough for any of them.
fn mark(page: &Page, status: Status) -> Cell {
    let symbol = match (status, page.look().unicode) {
        (Status::Pass, true) => '✓',
        (Status::Fail, true) => '✗',
        (Status::Skip, true) => '–',
        (Status::Pass, false) => '+',
        (Status::Fail, false) => 'x',
        (Status::Skip, false) => '-',
        (Status::Warn, _) => '!',
        (Status::Unknown, _) => '?',
        (Status::Error, _) => '#',
    };
    Cell::new(format!("{symbol} {status}"), Paint::of(status)).padded(MARK)
}

/// Columns of the longest mark (`? unknown`).
const MARK: usize = 9;

fn who(who: Who) -> &'static str {
    match who {
        Who::Network => "Network team",
        Who::TargetHost => "Administrator of the target host",
        Who::ThisHost => "Administrator of this machine",
        Who::Product => "Product administrator",
        Who::Profile => "Author of the profile",
        Who::Names => "Name service (DNS) team",
    }
}

/// The words without repetition, in order of first appearance.
fn distinct<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for word in words {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    seen
}
