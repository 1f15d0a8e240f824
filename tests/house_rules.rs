//! Rules of the house: sizes, names, who may import whom, and what must exist together.

mod source;

use std::path::Path;

use bothways::model::code::Code;
use bothways::model::probe::Protocol;
use source::{Source, all};

const LINES_OF_A_FILE: usize = 400;
const LINES_OF_A_FUNCTION: usize = 60;

/// Which modules at the crate's root each of them may name, besides itself. Whoever is not here may name none.
const MAY_NAME: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("sys", &["model"]),
    ("wire", &["model"]),
    ("net", &["sys", "wire", "model"]),
    ("probe", &["net", "wire", "model"]),
    ("responder", &["net", "wire", "model"]),
    ("profile", &["model"]),
    ("plan", &["responder", "profile", "model"]),
    ("diagnose", &["wire", "model"]),
    ("report", &["model"]),
    ("explain", &["model"]),
    ("peer", &["net", "wire", "sys", "model"]),
    ("engine", &["probe", "responder", "plan", "profile", "diagnose", "net", "wire", "sys", "model"]),
];

/// Modules that only compute.
const PURE: [&str; 6] = ["model", "wire", "plan", "diagnose", "report", "explain"];
const INPUT_AND_OUTPUT: [&str; 6] = ["tokio::", "std::fs", "fs::", "TcpStream", "TcpListener", "UdpSocket"];

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

fn everything() -> Vec<Source> {
    [all("src"), all("tests")].concat()
}

#[test]
fn files_are_short() {
    let length = |source: &Source| source.text.lines().count();
    let long = everything().into_iter().filter(|source| length(source) > LINES_OF_A_FILE);
    let long: Vec<String> = long.map(|source| format!("{}: {} lines", source.path, length(&source))).collect();
    assert_none(&long, "files have at most 400 lines");
}

#[test]
fn functions_are_short() {
    let long: Vec<String> = everything()
        .iter()
        .flat_map(|source| source.functions().into_iter().map(|(name, lines)| (source.path.clone(), name, lines)))
        .filter(|(_, _, lines)| *lines > LINES_OF_A_FUNCTION)
        .map(|(path, name, lines)| format!("{path}: {name} has {lines} lines"))
        .collect();
    assert_none(&long, "functions have at most 60 lines");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = everything().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none(&silent.map(|source| source.path).collect::<Vec<_>>(), "files begin with `//! `");
}

#[test]
fn file_names_say_something() {
    let vague = ["util", "utils", "helper", "helpers", "common", "manager", "misc", "imp"];
    let named = everything().into_iter().map(|source| source.path);
    let broken: Vec<String> =
        named.filter(|path| path.trim_end_matches(".rs").split('/').any(|part| vague.contains(&part))).collect();
    assert_none(&broken, "no file or folder has a name that says nothing");
}

/// What a file names that it may not.
fn forbidden(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(home) = module.first().copied().filter(|home| *home != "cli") else { return Vec::new() };
    let allowed = MAY_NAME.iter().find(|(name, _)| *name == home).map_or(&[][..], |(_, allowed)| *allowed);
    let wrong = source.roots().into_iter().filter(|root| root != home && !allowed.contains(&root.as_str()));
    wrong.map(|root| format!("{}: {home} may not name {root}", source.path)).collect()
}

#[test]
fn arrows_point_one_way() {
    assert_none(&all("src").iter().flat_map(forbidden).collect::<Vec<_>>(), "imports point downwards");
}

#[test]
fn an_arrow_that_points_the_wrong_way_is_noticed() {
    let broken = |path, text| forbidden(&Source::new(path, text));
    assert_eq!(broken("src/probe/http.rs", "use crate::responder::Open;").len(), 1);
    assert_eq!(broken("src/report/table/mod.rs", "use crate::{model::run::Run, net::Net, cli};").len(), 2);
    assert_eq!(broken("src/diagnose/fold.rs", "use super::super::engine::runner;").len(), 1);
    assert_eq!(broken("src/new.rs", "use crate::model::run::Run;").len(), 1);
    assert_eq!(broken("src/cli/check.rs", "use crate::engine::runner;").len(), 0);
    assert_eq!(broken("src/engine/runner.rs", "use crate::probe; use super::retry;").len(), 0);
}

#[test]
fn pure_modules_do_no_input_and_output() {
    let pure = all("src").into_iter().filter(|source| source.module().first().is_some_and(|home| PURE.contains(home)));
    let broken: Vec<String> = pure
        .flat_map(|source| {
            let used = INPUT_AND_OUTPUT.into_iter().filter(|what| source.says(what)).collect::<Vec<_>>();
            used.into_iter().map(move |what| format!("{}: {what}", source.path))
        })
        .collect();
    assert_none(&broken, "model, wire, plan, diagnose, report and explain only compute");
}

/// Files outside of `allowed` whose shipped code says one of the words.
fn saying(words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let sources = all("src").into_iter().filter(|source| !allowed(&source.path));
    let said = |source: &Source| words.iter().find(|word| source.says(word)).map(|word| (*word).to_owned());
    sources.filter_map(|source| said(&source).map(|word| format!("{}: {word}", source.path))).collect()
}

#[test]
fn only_the_command_line_speaks() {
    let words = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "process::exit"];
    let broken = saying(&words, |path| path.starts_with("src/cli/") || path == "src/main.rs");
    assert_none(&broken, "only cli/ and main.rs print or end the program");
}

#[test]
fn only_calls_of_the_system_are_unsafe() {
    assert_none(&saying(&["unsafe "], |path| path.starts_with("src/sys/")), "unsafe code is in src/sys only");
}

#[test]
fn nothing_is_unwrapped_outside_of_tests() {
    let broken: Vec<String> = all("src")
        .into_iter()
        .filter(|source| source.shipped().contains(".unwrap()"))
        .map(|source| source.path)
        .collect();
    assert_none(&broken, "no `.unwrap()` outside of tests");
}

#[test]
fn a_protocol_is_one_word_in_every_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for protocol in Protocol::ALL {
        let word = protocol.word().replace('-', "_");
        for folder in ["src/probe", "src/responder", "src/diagnose/judge", "tests"] {
            let path = format!("{folder}/{word}");
            if !root.join(format!("{path}.rs")).is_file() && !root.join(format!("{path}/mod.rs")).is_file() {
                missing.push(format!("{path}.rs"));
            }
        }
    }
    assert_none(&missing, "every protocol has its file in every folder");
}

#[test]
fn every_test_file_is_run() {
    let listed = include_str!("lib.rs");
    let files = all("tests").into_iter().map(|source| source.path);
    let top = files.filter_map(|path| Some(path.strip_prefix("tests/")?.strip_suffix(".rs")?.to_owned()));
    let forgotten: Vec<String> =
        top.filter(|name| !name.contains('/') && name != "lib" && !listed.contains(&format!("mod {name};"))).collect();
    assert_none(&forgotten, "tests/lib.rs lists every file in tests/");
}

#[test]
fn the_changelog_knows_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md");
    let text = std::fs::read_to_string(&path).expect("there is a CHANGELOG.md");
    let version = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(text.contains("## [Unreleased]") || text.contains(&version), "CHANGELOG.md lacks {version}");
}

#[test]
fn every_code_has_a_scenario_in_the_lab() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/scenarios");
    let mut expected = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("there is a folder of scenarios") {
        let text = std::fs::read_to_string(file.expect("it can be listed").path()).expect("a scenario");
        let (_, expect) = text.split_once("\nexpect:").expect("what is expected");
        expected.extend(expect.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-').map(str::to_owned));
    }
    let missing = Code::ALL.iter().filter(|code| **code != Code::Ok && !expected.contains(code.word()));
    assert_none(&missing.map(|code| code.word().to_owned()).collect::<Vec<_>>(), "every code is expected somewhere");
}
