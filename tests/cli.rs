//! The program as a user or a script meets it: arguments, exit codes, what goes where.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::reports::sample;
use bothways::model::code::Code;
use bothways::report::{Format, Look, render};

/// The program with an empty environment: a machine's own `CI`, `NO_COLOR` or `COLUMNS` must not change a test.
pub fn bothways(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bothways"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    // Windows needs this to load its own libraries.
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    command
}

/// What it wrote to stdout and stderr, and how it ended.
pub fn run(arguments: &[&str]) -> (String, String, i32) {
    read(&bothways(arguments).output().expect("the program runs"))
}

pub fn read(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text").replace("\r\n", "\n");
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("it was not killed"))
}

/// A folder that goes away with the test, and a file in it.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.json");
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

fn saved() -> Vec<u8> {
    render(Format::Json, &sample::rich(), &Look::plain(80))
}

#[test]
fn help_tells_every_subcommand_and_the_exit_codes() {
    let (out, err, code) = run(&["--help"]);
    assert_eq!((err.as_str(), code), ("", 0));
    insta::assert_snapshot!(out);
}

#[test]
fn help_of_check_tells_its_options() {
    insta::assert_snapshot!(run(&["check", "--help"]).0);
}

#[test]
fn the_version_is_the_packages() {
    let version = format!("bothways {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (version, String::new(), 0));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_so_on_stderr() {
    for arguments in [
        &["chek", "miradore"][..],
        &["check"],
        &["check", "miradore", "--timeout", "soon"],
        &["check", "miradore", "--format", "xml"],
        &["explain", "dropped", "refused"],
        &["schema", "everything"],
        &["lint"],
        &[],
    ] {
        let (out, err, code) = run(arguments);
        assert_eq!((out.as_str(), code), ("", 2), "{arguments:?}");
        assert!(!err.is_empty(), "{arguments:?}");
    }
    assert!(run(&["chek"]).1.contains("'check'"), "a near miss is pointed out");
    assert!(run(&["check", "x", "--timeout", "soon"]).1.contains("such as `500ms` or `5s`"));
}

#[test]
fn explain_lists_every_code_with_its_meaning() {
    let (out, err, code) = run(&["explain"]);
    assert_eq!((err.as_str(), code), ("", 0));
    for code in Code::ALL {
        assert!(out.lines().any(|line| line.split_whitespace().next() == Some(code.word())), "{code} is missing");
    }
}

#[test]
fn explain_shows_a_codes_page() {
    let (out, _, code) = run(&["explain", "tftp-transfer-port-blocked"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out);
    assert_eq!(run(&["explain", "DROPPED"]).0, run(&["explain", "dropped"]).0);
}

#[test]
fn explain_of_an_unknown_code_ends_with_2_and_suggests() {
    let (out, err, code) = run(&["explain", "droped"]);
    assert_eq!((out.as_str(), code), ("", 2));
    let told = "bothways: there is no code `droped` (did you mean `dropped`?); `bothways explain` lists them all\n";
    assert_eq!(err, told);
}

#[test]
fn text_fits_the_columns_that_are_there() {
    let output = bothways(&["explain", "dropped"]).env("COLUMNS", "40").output().expect("the program runs");
    let (out, _, _) = read(&output);
    assert!(out.lines().all(|line| line.len() <= 40), "{out}");
    assert!(out.lines().count() > 40);
}

#[test]
fn list_names_profiles_and_checks_that_show_can_print() {
    let (out, err, code) = run(&["list"]);
    assert_eq!((err.as_str(), code), ("", 0));
    for name in ["miradore", "job-query"] {
        assert!(out.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {out}");
        let (yaml, err, code) = run(&["show", name]);
        assert_eq!((err.as_str(), code), ("", 0));
        assert!(yaml.contains("title:"), "{yaml}");
    }
}

#[test]
fn show_of_an_unknown_name_ends_with_2_and_suggests() {
    let (out, err, code) = run(&["show", "miradroe"]);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("did you mean `miradore`?"), "{err}");
}

#[test]
fn lint_of_a_file_that_is_not_there_ends_with_2() {
    let (out, _, code) = run(&["lint", "no-such-profile.yaml"]);
    assert_eq!(code, 2);
    assert!(out.contains("no-such-profile.yaml"), "{out}");
}

#[test]
fn schemas_are_schemas() {
    for of in ["run", "profile", "check"] {
        let (out, err, code) = run(&["schema", of]);
        assert_eq!((err.as_str(), code), ("", 0));
        let schema = serde_json::from_str(&out).expect("JSON");
        assert!(jsonschema::meta::is_valid(&schema), "{of}");
    }
    assert_eq!(run(&["schema"]).0, run(&["schema", "run"]).0);
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (out, err, code) = run(&["completions", shell]);
        assert_eq!((err.as_str(), code), ("", 0));
        assert!(out.contains("fail-on") && out.contains("explain"), "{shell}");
    }
}

#[test]
fn the_manual_page_tells_every_subcommand() {
    let (out, err, code) = run(&["man"]);
    assert_eq!((err.as_str(), code), ("", 0));
    assert!(out.contains(".TH bothways 1"), "{out}");
    let (help, _, _) = run(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list");
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(out.contains(&format!(".SS \"bothways {name}\"")), "{name}: {out}");
    }
    assert!(out.contains(".SH \"EXIT STATUS\""));
}

#[test]
fn a_saved_run_is_shown_again() {
    let (_folder, path) = file(&saved());
    let path = path.to_string_lossy();
    let table = String::from_utf8(render(Format::Table, &sample::rich(), &Look::plain(80))).expect("text");
    assert_eq!(run(&["report", &path]), (table, String::new(), 0));
    let json = String::from_utf8(saved()).expect("text");
    assert_eq!(run(&["report", &path, "--format", "json"]), (json, String::new(), 0));
}

#[test]
fn a_run_is_read_from_standard_input_too() {
    let mut child = bothways(&["report", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(&saved()).expect("it reads");
    let (out, err, code) = read(&child.wait_with_output().expect("it ends"));
    assert_eq!((out.into_bytes(), err.as_str(), code), (saved(), "", 0));
}

#[test]
fn a_report_goes_into_a_file_and_nothing_to_stdout() {
    let (folder, path) = file(&saved());
    let out = folder.path().join("report.txt");
    let told = run(&["report", &path.to_string_lossy(), "--output", &out.to_string_lossy()]);
    assert_eq!(told, (String::new(), String::new(), 0));
    assert!(std::fs::read_to_string(&out).expect("the report").contains("client opens"));
}

#[test]
fn a_report_that_cannot_be_written_ends_with_4() {
    let (folder, path) = file(&saved());
    let nowhere = folder.path().join("missing").join("report.txt");
    let (_, err, code) = run(&["report", &path.to_string_lossy(), "-o", &nowhere.to_string_lossy()]);
    assert_eq!(code, 4);
    assert!(err.starts_with("bothways: can't write "), "{err}");
}

#[test]
fn a_run_of_a_newer_version_is_refused_plainly() {
    let text = String::from_utf8(saved()).expect("text").replacen("\"schema\": 1", "\"schema\": 99", 1);
    let (_folder, path) = file(text.as_bytes());
    let (out, err, code) = run(&["report", &path.to_string_lossy()]);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("saved by a newer version (schema 99; this one reads up to 1)"), "{err}");
}

#[test]
fn broken_json_is_told_with_file_line_and_column() {
    for (text, place) in [
        ("{\n  \"schema\": 1,\n  oops }", ":3:3:"),
        ("{\"schema\": 1}", ":1:13:"),
        ("", ":1:0:"),
        ("[]", ":1:"),
        (&"[".repeat(100_000), ":1:"),
    ] {
        let (_folder, path) = file(text.as_bytes());
        let (out, err, code) = run(&["report", &path.to_string_lossy()]);
        assert_eq!((out.as_str(), code), ("", 2), "{err}");
        assert!(err.contains(&format!("run.json{place}")), "{err}");
        assert!(err.contains("not a run saved with `--format json`"), "{err}");
    }
}

#[test]
fn a_file_that_is_not_there_ends_with_2() {
    let (_, err, code) = run(&["report", "no-such-run.json"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("bothways: can't read no-such-run.json: "), "{err}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = bothways(&["explain"]).stdout(writer).stderr(Stdio::piped()).output().expect("the program runs");
    let (_, err, code) = read(&output);
    assert_eq!((err.as_str(), code), ("", 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_with_4() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let output = bothways(&["explain"]).stdout(full).stderr(Stdio::piped()).output().expect("the program runs");
    let (_, err, code) = read(&output);
    assert_eq!(code, 4);
    assert!(err.starts_with("bothways: can't write to stdout: "), "{err}");
}

#[test]
fn colours_follow_the_flag_then_the_environment() {
    let coloured = |arguments: &[&str], set: &[(&str, &str)]| {
        let output = bothways(arguments).envs(set.iter().copied()).output().expect("the program runs");
        read(&output).0.contains('\x1b')
    };
    let page = ["explain", "dropped"];
    assert!(!coloured(&page, &[]), "a pipe has no colours");
    assert!(coloured(&page, &[("FORCE_COLOR", "1")]));
    assert!(coloured(&page, &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&page, &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")]));
    assert!(coloured(&["--color", "always", "explain", "dropped"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["explain", "dropped", "--color", "never"], &[("FORCE_COLOR", "1")]));
}
