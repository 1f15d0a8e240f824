//! Lines of text for people: wrapped to a width, painted where colour is wanted, and free of control characters.
//!
//! Everything that is shown passes through here, so no text from the network reaches a terminal unfiltered.

use owo_colors::Style;
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

use super::Look;
use super::plain::{ascii, plain};
use crate::model::finding::Status;

/// How a piece of text stands out. It repeats what the words say, for quick eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Strong,
    Faint,
    Good,
    Caution,
    Bad,
    Unsure,
}

impl Paint {
    #[must_use]
    pub fn of(status: Status) -> Self {
        match status {
            Status::Pass => Self::Good,
            Status::Warn => Self::Caution,
            Status::Fail | Status::Error => Self::Bad,
            Status::Unknown => Self::Unsure,
            Status::Skip => Self::Faint,
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => Style::new().green(),
            Self::Caution => Style::new().yellow(),
            Self::Bad => Style::new().red().bold(),
            Self::Unsure => Style::new().cyan(),
        }
    }
}

/// A piece of one line, padded with blanks to a width (0: as it is).
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    paint: Paint,
    width: usize,
}

impl Cell {
    #[must_use]
    pub fn new(text: impl Into<String>, paint: Paint) -> Self {
        Self { text: text.into(), paint, width: 0 }
    }

    #[must_use]
    pub fn padded(mut self, width: usize) -> Self {
        self.width = width;
        self
    }
}

/// A text that grows line by line.
#[derive(Debug)]
pub struct Page<'a> {
    look: &'a Look,
    text: String,
}

impl<'a> Page<'a> {
    /// Narrower than this nothing is readable; text then runs over the edge.
    const NARROWEST: usize = 24;

    #[must_use]
    pub fn new(look: &'a Look) -> Self {
        Self { look, text: String::new() }
    }

    #[must_use]
    pub fn look(&self) -> &Look {
        self.look
    }

    #[must_use]
    pub fn width(&self) -> usize {
        self.look.width.max(Self::NARROWEST)
    }

    /// An empty line, unless there is one already or nothing was written yet.
    pub fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    pub fn heading(&mut self, text: &str) {
        self.blank();
        self.wrapped(&[], 2, text, Paint::Strong);
    }

    /// One line that is not wrapped.
    pub fn row(&mut self, cells: &[Cell]) {
        let line = self.cells(cells);
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Text that is wrapped; its first line begins with `lead`, the others with `indent` blanks.
    pub fn wrapped(&mut self, lead: &[Cell], indent: usize, text: &str, paint: Paint) {
        let text = self.shown(text);
        let taken = self.measure(lead);
        if text.trim().is_empty() {
            if taken > 0 {
                self.row(lead);
            }
            return;
        }
        let crowded = taken > 0 && self.width() < taken + 12;
        if crowded {
            self.row(lead);
        }
        let (first, rest) = (" ".repeat(if crowded { indent } else { taken }), " ".repeat(indent));
        let options = Options::new(self.width())
            .initial_indent(&first)
            .subsequent_indent(&rest)
            .word_splitter(WordSplitter::NoHyphenation);
        for (number, line) in textwrap::wrap(text.trim(), options).iter().enumerate() {
            let margin = if number == 0 { first.len() } else { rest.len() };
            let before = if number == 0 && !crowded { self.cells(lead) } else { line[..margin].to_owned() };
            let line = before + &self.paint(&line[margin..], paint);
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Text as this place shows it, with its width in columns.
    #[must_use]
    pub fn columns(&self, text: &str) -> usize {
        display_width(&self.shown(text))
    }

    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn measure(&self, cells: &[Cell]) -> usize {
        cells.iter().map(|cell| self.columns(&cell.text).max(cell.width)).sum()
    }

    fn cells(&self, cells: &[Cell]) -> String {
        let mut line = String::new();
        for cell in cells {
            let text = self.shown(&cell.text);
            line.push_str(&self.paint(&text, cell.paint));
            line.push_str(&" ".repeat(cell.width.saturating_sub(display_width(&text))));
        }
        line
    }

    fn shown(&self, text: &str) -> String {
        let text = plain(text);
        if self.look.unicode { text } else { ascii(&text) }
    }

    fn paint(&self, text: &str, paint: Paint) -> String {
        // They have kept numbers and units on one line; who copies the text expects ordinary blanks.
        let text = &text.replace('\u{a0}', " ");
        if self.look.colour && paint != Paint::Plain && !text.trim().is_empty() {
            paint.style().style(text).to_string()
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: Page) -> String {
        String::from_utf8(page.finish()).unwrap()
    }

    #[test]
    fn a_lead_stands_before_the_first_line_only() {
        let look = Look::plain(24);
        let mut page = Page::new(&look);
        page.wrapped(&[Cell::new("1. ", Paint::Strong)], 3, "one two three four five six", Paint::Plain);
        assert_eq!(text(page), "1. one two three four\n   five six\n");
    }

    #[test]
    fn escapes_in_a_text_do_not_survive_but_ours_do() {
        let look = Look { colour: true, ..Look::plain(80) };
        let mut page = Page::new(&look);
        page.wrapped(&[], 0, "evil \x1b[31mred", Paint::Good);
        page.row(&[Cell::new("\x1b[2J", Paint::Plain), Cell::new("\u{9b}2J", Paint::Plain)]);
        let text = text(page);
        assert!(text.contains("evil [31mred") && text.contains("[2J2J"), "{text:?}");
        assert_eq!(text.matches('\x1b').count(), 2, "only our own colour and its end: {text:?}");
        assert!(!text.contains('\u{9b}'));
    }

    #[test]
    fn wide_letters_count_as_two_columns() {
        let look = Look { unicode: true, ..Look::plain(24) };
        let mut page = Page::new(&look);
        page.row(&[Cell::new("日本", Paint::Plain).padded(6), Cell::new("x", Paint::Plain)]);
        assert_eq!(text(page), "日本  x\n");
    }
}
