//! From a name or a file to a [`Profile`], and the same without the profile: [`lint`].

use std::path::Path;
use std::sync::Arc;

use super::catalog::{self, Catalog};
use super::layers::{self, Stacked};
use super::node::Node;
use super::problem::{Problem, Problems, Source};
use super::rule::Known;
use super::{Profile, set, validate, yaml};

/// Loads a profile: a built-in name or the path of a file, with `endpoint.key=value` texts laid over it.
///
/// # Errors
/// Every problem of the profile, of those that it extends, of its checks and of the texts.
pub fn load(reference: &str, sets: &[String], catalog: &Catalog) -> Result<Profile, Problems> {
    if let Some(trouble) = catalog.trouble() {
        return Err(trouble.into());
    }
    finish(layers::read(reference, catalog).map_err(Problems::in_order)?, sets, catalog)
}

fn finish(mut stacked: Stacked, sets: &[String], catalog: &Catalog) -> Result<Profile, Problems> {
    let mut problems = Problems::default();
    set::apply(&mut stacked, sets, &catalog.check_names(), &mut problems);
    match validate::profile(&stacked, catalog, &mut problems) {
        Some(profile) if problems.is_empty() => Ok(profile),
        _ => Err(problems.in_order()),
    }
}

/// Everything that is wrong with a profile or a check; nothing where it is fine.
#[must_use]
pub fn lint(path: &Path, catalog: &Catalog) -> Problems {
    match catalog::read(path) {
        Ok(source) => lint_source(source, catalog),
        Err(problem) => problem.into(),
    }
}

/// As [`lint`], for bytes that are at hand; relative paths in them start from the current folder.
#[must_use]
pub fn lint_text(name: &str, bytes: &[u8], catalog: &Catalog) -> Problems {
    match catalog::decoded(name, bytes) {
        Ok(text) => lint_source(Source { name: name.to_owned(), folder: None, text }, catalog),
        Err(problem) => problem.into(),
    }
}

fn lint_source(source: Source, catalog: &Catalog) -> Problems {
    if let Some(trouble) = catalog.trouble() {
        return trouble.into();
    }
    let source = Arc::new(source);
    let node = match yaml::read(&source) {
        Ok(node) => node,
        Err(problems) => return problems.in_order(),
    };
    if is_check(&node) {
        return lint_check(&source, node, catalog);
    }
    layers::read_text(source, catalog)
        .and_then(|stacked| finish(stacked, &[], catalog))
        .err()
        .unwrap_or_default()
        .in_order()
}

/// Tells a check from a profile by the keys that only one of them has.
fn is_check(node: &Node) -> bool {
    let count = |keys: &[&str]| keys.iter().filter(|key| node.get(key).is_some()).count();
    let check =
        count(&["task", "rank", "from", "to", "carries", "transport", "port", "when", "probe", "remedy", "source"]);
    check > count(&["extends", "roles", "checks", "endpoints", "settings"])
}

fn lint_check(source: &Source, node: Node, catalog: &Catalog) -> Problems {
    let stem = Path::new(&source.name).file_stem().unwrap_or_default().to_string_lossy();
    let mut problems = Problems::default();
    if !catalog::is_name(&stem) {
        let message = format!("`{stem}` cannot be the id of a check, which is its file's name");
        problems.push(Problem::of_file(
            &source.name,
            message,
            "rename the file: lower-case letters, digits and hyphens",
        ));
    }
    let ids = catalog.check_names();
    let _ = Known { catalog, roles: None, ids: &ids }.check(&stem, node, &mut problems);
    problems.in_order()
}
