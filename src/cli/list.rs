//! `bothways list`: the profiles and checks that are known, with their titles.

use std::process::ExitCode;

use serde::Deserialize;

use super::args::CatalogArgs;
use super::{CliError, colour, exit, output};
use crate::profile::catalog::Catalog;
use crate::report::page::{Cell, Page, Paint};

pub(super) fn run(args: &CatalogArgs) -> Result<ExitCode, CliError> {
    let catalog = Catalog::with_folder(args.checks_folder.clone());
    let look = colour::of_stdout(false);
    let mut page = Page::new(&look);
    section(&mut page, "Profiles", &catalog.profile_names(), &catalog);
    section(&mut page, "Checks", &catalog.check_names(), &catalog);
    page.blank();
    page.wrapped(&[], 0, "Their text: bothways show NAME", Paint::Faint);
    output::to_stdout(&page.finish())?;
    Ok(ExitCode::from(exit::WORKS))
}

fn section(page: &mut Page, heading: &str, names: &[String], catalog: &Catalog) {
    page.heading(heading);
    let widest = names.iter().map(|name| page.columns(name)).max().unwrap_or_default();
    for name in names {
        let title = catalog.text(name).and_then(|(_, yaml)| title(&yaml)).unwrap_or_default();
        let lead = [
            Cell::new("  ", Paint::Plain),
            Cell::new(name, Paint::Strong).padded(widest),
            Cell::new("  ", Paint::Plain),
        ];
        page.wrapped(&lead, widest + 4, &title, Paint::Plain);
    }
}

/// The title alone: a file with mistakes elsewhere is still listed, and `bothways lint` says what is wrong with it.
fn title(yaml: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Titled {
        title: String,
    }
    serde_saphyr::from_str::<Titled>(yaml).ok().map(|titled| titled.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_found_among_keys_that_are_not_known() {
        assert_eq!(title("nonsense: [1]\ntitle: The flow\n").as_deref(), Some("The flow"));
        assert_eq!(title("- no map"), None);
    }
}
