//! What is wrong with a command line or a profile: exit code 2, on stderr, with what to do.

use crate::cli::{bothways, read, run};

/// What it said on stderr, having ended with 2 and without a report.
fn refused(arguments: &[&str]) -> String {
    let (out, err, code) = run(arguments);
    assert_eq!((out.as_str(), code), ("", 2), "{arguments:?}: {err}");
    err
}

#[test]
fn a_check_without_a_side_lists_the_roles_that_can_check() {
    let err = refused(&["check", "miradore"]);
    for role in ["client", "server", "deployment-tool", "media-master", "installation-point"] {
        assert!(err.contains(&format!("--side {role}")), "{err}");
    }
    assert!(!err.contains("--side sql-server"), "it opens nothing: {err}");
}

#[test]
fn near_misses_are_pointed_out() {
    let cases = [
        (&["check", "miradore", "--side", "clinet"][..], "no role `clinet`", "(did you mean `client`?)"),
        (&["check", "miradore", "--side", "client", "--only", "job-qery"], "no check `job-qery`", "`job-query`?)"),
        (&["check", "miradroe", "--side", "client"], "no profile `miradroe`", "did you mean `miradore`?"),
        (&["check", "miradore", "--side", "client", "--set", "sever.host=x"], "`sever`", "did you mean `server`?"),
        (&["check", "miradore", "--side", "client", "--set", "server.hots=x"], "`hots`", "did you mean `host`?"),
    ];
    for (arguments, wrong, meant) in cases {
        let err = refused(arguments);
        assert!(err.contains(wrong) && err.contains(meant), "{arguments:?}: {err}");
    }
}

#[test]
fn every_mistake_of_a_profile_is_told_at_once() {
    let file = "tests/profiles/invalid-many-mistakes.yaml";
    let err = refused(&["check", file, "--side", "client"]);
    assert_eq!(err.matches("  remedy: ").count(), 24, "{err}");
    assert_eq!(err.matches(&format!("{file}:")).count(), 24, "{err}");
    assert!(!err.contains("hunter2"), "a password is never repeated: {err}");
    let (linted, _, code) = run(&["lint", file]);
    assert_eq!((err.trim(), code), (linted.trim(), 2));
}

#[test]
fn every_mistake_in_the_meaning_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.yaml");
    let yaml = "extends: miradore\n\
                endpoints:\n  \
                  client: { host: 'not a host' }\n  \
                  boot: { role: boot-sever, host: boot.example }\n  \
                  sql-server: { host: sql.example, user: sa }\n\
                checks:\n  \
                  job-qery: off\n";
    std::fs::write(&file, yaml).expect("a file");
    let err = refused(&["check", &file.to_string_lossy(), "--side", "client", "--set", "server.port=http"]);
    for place in ["site.yaml:3:", "site.yaml:4:", "site.yaml:5:", "site.yaml:7:", "--set server.port=http"] {
        assert!(err.contains(place), "{place}: {err}");
    }
}

#[test]
fn a_password_that_is_not_there_is_missed_before_anything_is_asked() {
    let sets = ["sql-server.host=127.0.0.1", "sql-server.user=sa", "sql-server.password.env=NOT_SET_HERE"];
    let mut arguments = vec!["check", "miradore", "--side", "server"];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let err = refused(&arguments);
    assert!(err.contains("environment variable `NOT_SET_HERE`, which is not set"), "{err}");

    let file = arguments.iter().map(|text| text.replace("password.env=NOT_SET_HERE", "password.file=/no/such/file"));
    let file: Vec<String> = file.collect();
    let err = refused(&file.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(err.contains("`/no/such/file`"), "{err}");

    let prompt = arguments.iter().map(|text| text.replace("password.env=NOT_SET_HERE", "password.prompt=Password"));
    let prompt: Vec<String> = prompt.collect();
    let err = refused(&prompt.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(err.contains("there is no terminal to ask on"), "{err}");
}

#[test]
fn a_password_that_this_side_does_not_need_is_not_missed() {
    let arguments = ["check", "miradore", "--side", "client", "--set", "sql-server.host=127.0.0.1"];
    let more = ["--set", "sql-server.user=sa", "--set", "sql-server.password.env=NOT_SET_HERE"];
    let output = bothways(&[&arguments[..], &more[..]].concat()).output().expect("the program runs");
    let (out, err, code) = read(&output);
    assert_eq!((err.as_str(), code), ("", 3), "nothing could be tested, which is no success");
    assert_eq!(out.lines().last(), Some("Nothing could be tested from here."));
}
