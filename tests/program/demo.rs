//! `bothways demo`: the main job in one command, whole or with one check broken.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread;

use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::profile::catalog::Catalog;
use bothways::profile::load::load;

use super::{outcomes, record};
use crate::cli::{bothways, read, run};

fn checks() -> Vec<String> {
    let profile = load("miradore", &[], &Catalog::built_in()).unwrap_or_else(|problems| panic!("{problems}"));
    profile.checks.into_iter().map(|check| check.id).collect()
}

#[test]
fn the_demo_works_and_says_so() {
    let (out, err, code) = run(&["demo"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(out.lines().last(), Some("Everything that can be tested from here works."));
    let title = out.split("\n\n").next().unwrap_or_default().replace("\n  ", " ");
    assert!(title.contains("profile miradore | tested on ") && title.contains(" as every role | "), "{title}");
    let needless = "Not needed\n  - skip     installation-http\n";
    assert!(out.contains(needless) && !out.contains("Not tested"), "{out}");
    assert!(err.starts_with("Both sides on this machine (127.0.0.1), with 10 responders"), "{err}");
    assert_eq!(err.lines().count(), 11, "one line for each responder: {err}");
}

#[test]
fn the_demos_record_is_whole_and_what_the_schema_says() {
    let (out, err, code) = run(&["demo", "--format", "json"]);
    assert_eq!(code, 0, "{err}");
    let schema = serde_json::from_str(&run(&["schema", "run"]).0).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let value = serde_json::from_str(&out).expect("JSON");
    let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let run = record(&out);
    assert_eq!((run.status, run.run.profile.as_str()), (Status::Pass, "miradore"));
    for check in checks() {
        let found = outcomes(&run, &check);
        assert!(!found.is_empty(), "{check} has no outcome");
        for outcome in found {
            let wanted = if check == "installation-http" { Status::Skip } else { Status::Pass };
            assert_eq!((outcome.status, outcome.code), (wanted, Code::Ok), "{check}: {}", outcome.sentence);
            assert_eq!(outcome.receipts.is_empty(), wanted == Status::Skip, "{check}: the responder kept a receipt");
        }
    }
    assert!(run.tasks.iter().all(|task| task.status == Status::Pass), "{:#?}", run.tasks);
}

#[test]
fn every_check_can_be_broken_and_is_then_what_fails() {
    let breaking: Vec<_> = checks()
        .into_iter()
        .filter(|check| check != "installation-http")
        .map(|check| {
            let arguments = ["demo", "--break", &check, "--format", "json", "--timeout", "2s"].map(str::to_owned);
            let told = thread::spawn(move || self::run(&arguments.each_ref().map(String::as_str)));
            (check, told)
        })
        .collect();
    assert_eq!(breaking.len(), 11);
    for (check, told) in breaking {
        let (out, err, code) = told.join().expect("it ends");
        assert_eq!(code, 1, "{check}: {err}");
        assert!(err.contains("blocked on purpose"), "{check}: {err}");
        let run = record(&out);
        assert_eq!(run.status, Status::Fail);
        for outcome in outcomes(&run, &check) {
            assert_eq!(outcome.status, Status::Fail, "{check}: {}", outcome.sentence);
            assert!(
                matches!(outcome.code, Code::Dropped | Code::Refused | Code::SqlInstancePortBlocked),
                "{outcome:?}"
            );
        }
        let explained = run.findings.iter().any(|finding| finding.outcomes.contains(&check));
        assert!(explained, "{check}: {:#?}", run.findings);
        assert!(run.outcomes.iter().any(|outcome| outcome.status == Status::Pass), "{check}: the rest goes on");
    }
}

#[test]
fn what_the_demo_does_not_run_cannot_be_broken() {
    let (out, err, code) = run(&["demo", "--break", "installation-http"]);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("can't be broken, as the demo does not run it: This installation point offers"), "{err}");
    let (out, err, code) = run(&["demo", "--break", "sql-browzer"]);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("there is no check `sql-browzer` to break (did you mean `sql-browser`?)"), "{err}");
}

/// Sends Ctrl-C.
fn interrupt(child: &Child) {
    let id = i32::try_from(child.id()).expect("a process");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGINT).expect("it runs");
}

#[test]
fn the_demo_serves_until_ctrl_c_and_reports_once() {
    let mut child =
        bothways(&["demo", "--serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut ports = Vec::new();
    for line in BufReader::new(child.stderr.take().expect("a pipe")).lines() {
        let line = line.expect("text");
        if line.contains("until Ctrl-C") {
            break;
        }
        let port = line.split_once(" TCP ").and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u16>().ok());
        ports.extend(port);
    }
    assert!(!ports.is_empty());
    for port in ports {
        TcpStream::connect(("127.0.0.1", port)).expect("still served");
    }
    interrupt(&child);
    let (out, _, code) = read(&child.wait_with_output().expect("it ends"));
    assert_eq!((out.matches("Everything that can be tested").count(), code), (1, 0), "{out}");
}
