//! The words for every kind of mistake: one `invalid-*.yaml` each, and the snapshot of what is said of it.

use std::fs;
use std::path::{Path, PathBuf};

use bothways::profile::catalog::Catalog;
use bothways::profile::load::lint;

const FOLDER: &str = "tests/profiles";

fn invalid_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).expect("the folder of invalid files");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("invalid-")));
    files.sort();
    files
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_remedy() {
    let files = invalid_files();
    assert!(files.len() >= 20, "only {} invalid files", files.len());
    for path in files {
        let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        let told = lint(&path, &Catalog::built_in()).to_string().replace("tests/profiles\\", "tests/profiles/");
        insta::with_settings!({
            snapshot_path => "../snapshots/profiles", prepend_module_to_snapshot => false, omit_expression => true
        }, { insta::assert_snapshot!(stem, told) });
    }
}

#[test]
fn no_secret_is_ever_repeated() {
    for path in invalid_files() {
        let problems = lint(&path, &Catalog::built_in());
        assert!(!problems.is_empty(), "{} has no problem", path.display());
        assert!(!format!("{problems}{problems:?}").contains("hunter2"), "{}: {problems}", path.display());
    }
}

#[test]
fn every_problem_points_at_a_line_that_is_there() {
    for path in invalid_files() {
        for problem in lint(&path, &Catalog::built_in()).0.iter().filter(|problem| problem.line > 0) {
            let Ok(text) = fs::read_to_string(Path::new(&problem.file)) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            assert!(problem.line <= lines.len().max(1), "{problem}");
            let width = lines.get(problem.line - 1).map_or(0, |line| line.chars().count());
            assert!((1..=width + 1).contains(&problem.column), "{problem}");
            assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem}");
        }
    }
}
