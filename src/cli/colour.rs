//! What the place where text is read can show: colours, symbols, columns. Decided once, from flags, environment and terminal.

use std::io::IsTerminal;
use std::sync::OnceLock;

use super::args::ColourChoice;
use crate::report::Look;

static CHOICE: OnceLock<ColourChoice> = OnceLock::new();

/// Keeps what the command line says of colours for the rest of the program.
pub(super) fn remember(choice: ColourChoice) {
    // Set once at the start; a second call would be of no use, and none is made.
    let _ = CHOICE.set(choice);
}

/// How text on stdout is shown.
pub(super) fn of_stdout(verbose: bool) -> Look {
    let terminal = std::io::stdout().is_terminal();
    let choice = CHOICE.get().copied().unwrap_or_default();
    Look {
        width: width(terminal),
        colour: colour(choice, variable, terminal, cfg!(windows)),
        unicode: unicode(variable, terminal, cfg!(windows)),
        verbose,
    }
}

/// How text in a file is shown: as on stdout, without colour.
pub(super) fn of_file(verbose: bool) -> Look {
    Look { width: 100, colour: false, unicode: unicode(variable, false, cfg!(windows)), verbose }
}

/// A variable of the environment that is set to something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The flag, then `NO_COLOR`, then `CLICOLOR_FORCE` and `FORCE_COLOR`, then whether there is a terminal that knows colours.
fn colour(choice: ColourChoice, variable: impl Fn(&str) -> Option<String>, terminal: bool, windows: bool) -> bool {
    let forced = |name| variable(name).is_some_and(|value| value != "0" && value != "false");
    match choice {
        ColourChoice::Always => true,
        ColourChoice::Never => false,
        ColourChoice::Auto if variable("NO_COLOR").is_some() => false,
        ColourChoice::Auto if forced("CLICOLOR_FORCE") || forced("FORCE_COLOR") => true,
        ColourChoice::Auto if !terminal || variable("TERM").as_deref() == Some("dumb") => false,
        ColourChoice::Auto => !windows || knows_escapes(variable),
    }
}

/// Whether symbols outside of ASCII are shown well: where the locale is UTF-8; on Windows in the newer terminals.
fn unicode(variable: impl Fn(&str) -> Option<String>, terminal: bool, windows: bool) -> bool {
    if windows {
        // Older shells read piped text in the machine's code page.
        return terminal && knows_escapes(variable);
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Terminals on Windows that understand escape sequences without being asked to. The old console does only after a call
/// that is not worth unsafe code: it gets plain text.
fn knows_escapes(variable: impl Fn(&str) -> Option<String>) -> bool {
    ["WT_SESSION", "TERM_PROGRAM", "TERM"].into_iter().any(|name| variable(name).is_some())
        || variable("ConEmuANSI").as_deref() == Some("ON")
}

/// The terminal's columns; `COLUMNS` where there is none, 100 at most; else 80. Lines longer than 140 columns are hard to read.
fn width(terminal: bool) -> usize {
    let of_terminal = terminal.then(terminal_size::terminal_size).flatten();
    if let Some((columns, _)) = of_terminal {
        return usize::from(columns.0).min(140);
    }
    variable("COLUMNS").and_then(|columns| columns.parse().ok()).map_or(80, |columns: usize| columns.min(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + Copy + 'a {
        |name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    }

    fn automatic(set: &[(&str, &str)], terminal: bool) -> bool {
        colour(ColourChoice::Auto, with(set), terminal, false)
    }

    #[test]
    fn the_flag_goes_before_everything() {
        assert!(colour(ColourChoice::Always, with(&[("NO_COLOR", "1")]), false, false));
        assert!(!colour(ColourChoice::Never, with(&[("FORCE_COLOR", "1")]), true, false));
    }

    #[test]
    fn no_color_goes_before_force() {
        assert!(!automatic(&[("NO_COLOR", "1"), ("FORCE_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true));
        assert!(automatic(&[("FORCE_COLOR", "1")], false));
        assert!(automatic(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!automatic(&[("CLICOLOR_FORCE", "0")], false));
    }

    #[test]
    fn a_terminal_has_colours_unless_it_is_dumb_or_the_old_console() {
        assert!(automatic(&[("TERM", "xterm")], true));
        assert!(!automatic(&[("TERM", "dumb")], true));
        assert!(!automatic(&[("TERM", "xterm")], false));
        assert!(!colour(ColourChoice::Auto, with(&[]), true, true));
        assert!(colour(ColourChoice::Auto, with(&[("WT_SESSION", "x")]), true, true));
    }

    #[test]
    fn symbols_need_a_locale_that_has_them() {
        assert!(unicode(with(&[("LANG", "fi_FI.UTF-8")]), false, false));
        assert!(!unicode(with(&[("LANG", "fi_FI.UTF-8"), ("LC_ALL", "C")]), false, false));
        assert!(!unicode(with(&[]), true, false));
        assert!(!unicode(with(&[("WT_SESSION", "x")]), false, true));
    }
}
