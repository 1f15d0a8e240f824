//! `bothways check` against real services and responders, and where its report goes.

use std::process::Output;

use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::report::{Format, Look, render};
use bothways::responder::{self, Open, Service};

use super::{outcomes, record};
use crate::cli::{bothways, read};
use crate::engine::{greeter, respond, web};
use crate::support::hostile::{Hostile, Manner, closed_port};
use crate::tls::authority::{Authority, When};
use crate::tls::server::{nginx, nginx_plain};

/// Runs `bothways check miradore` with these sides, values and further arguments.
async fn check(sides: &[&str], sets: &[String], more: &[&str], environment: &[(&str, &str)]) -> (String, String, i32) {
    let mut command = bothways(&["check", "miradore"]);
    for side in sides {
        command.args(["--side", side]);
    }
    for set in sets {
        command.args(["--set", set]);
    }
    command.args(more).envs(environment.iter().copied());
    let ended: Output = tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends");
    read(&ended)
}

fn server(port: u16) -> Vec<String> {
    vec!["server.host=127.0.0.1".to_owned(), format!("server.port={port}")]
}

const WEB: [&str; 4] = ["--only", "job-query,inventory", "--format", "json"];

#[tokio::test]
async fn everything_that_works_ends_with_0() {
    let (_nginx, port) = nginx_plain();
    let (client, file_server) = (greeter().await, files().await);
    let sets = [
        server(port),
        vec![
            "client.host=127.0.0.1".to_owned(),
            format!("client.port={}", client.address.port()),
            "installation-point.host=127.0.0.1".to_owned(),
            format!("installation-point.port={}", file_server.address.port()),
        ],
    ]
    .concat();
    let only = ["--only", "wake-up-tcp", "--only", "installation-share"];
    let (out, err, code) = check(&["client", "server"], &sets, &[&WEB[..], &only[..]].concat(), &[]).await;
    assert_eq!((err.as_str(), code), ("", 0), "{out}");
    let run = record(&out);
    assert_eq!(run.status, Status::Pass);
    for check in ["job-query", "inventory", "wake-up-tcp", "installation-share"] {
        assert_eq!(outcomes(&run, check)[0].status, Status::Pass, "{check}");
    }
    assert!(outcomes(&run, "job-query")[0].sentence.contains("nginx"));
}

async fn files() -> Open {
    respond(Service::Smb(responder::smb::Service::default()), "127.0.0.1:0").await
}

#[tokio::test]
async fn nginx_over_tls_is_trusted_where_the_profile_names_its_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Authority::root("Example Root");
    let (_nginx, port) = nginx(&root.issue(&["127.0.0.1"], When::Now), "");
    let secure = [server(port), vec!["server.https=true".to_owned()]].concat();
    let (out, _, code) = check(&["client"], &secure, &WEB, &[]).await;
    assert_eq!(code, 1);
    let run = record(&out);
    let [finding] = run.findings.as_slice() else { panic!("{:#?}", run.findings) };
    assert_eq!((finding.code, finding.outcomes.len()), (Code::TlsUntrusted, 2));
    let ca = format!("server.tls.ca={}", root.file(folder.path()).display());
    let (out, _, code) = check(&["client"], &[secure, vec![ca]].concat(), &WEB, &[]).await;
    assert_eq!((record(&out).status, code), (Status::Pass, 0));
}

#[tokio::test]
async fn the_report_goes_to_the_file_and_can_be_shown_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.json").to_string_lossy().into_owned();
    let more = [&WEB[..], &["--output", &file]].concat();
    let told = check(&["client"], &server(closed_port().await), &more, &[]).await;
    assert_eq!(told, (String::new(), String::new(), 1));
    let saved = std::fs::read_to_string(&file).expect("the record");
    let table = String::from_utf8(render(Format::Table, &record(&saved), &Look::plain(80))).expect("text");
    assert_eq!(crate::cli::run(&["report", &file]), (table.clone(), String::new(), 0));
    assert_eq!(crate::cli::run(&["report", &file, "--format", "json"]).0, saved);
    assert!(table.contains("refused: job-query, inventory"), "{table}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_the_tools_failure() {
    let more = [&WEB[..], &["--output", "/no/such/folder/run.json"]].concat();
    let (out, err, code) = check(&["client"], &server(closed_port().await), &more, &[]).await;
    assert_eq!((out.as_str(), code), ("", 4));
    assert!(err.starts_with("bothways: can't write /no/such/folder/run.json: "), "{err}");
}

#[tokio::test]
async fn warnings_end_with_0_unless_they_are_not_wanted() {
    let closing = Hostile::tcp(Manner::Closing).await;
    let sets = ["client.host=127.0.0.1".to_owned(), format!("client.port={}", closing.address.port())];
    let only = ["--only", "wake-up-tcp", "--format", "json"];
    let (out, _, code) = check(&["server"], &sets, &only, &[]).await;
    assert_eq!((record(&out).status, code), (Status::Warn, 0));
    let (_, _, code) = check(&["server"], &sets, &[&only[..], &["--fail-on", "warn"]].concat(), &[]).await;
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_deadline_ends_the_run_without_a_verdict() {
    let silent = Hostile::tcp(Manner::Silent).await;
    let more = [&WEB[..], &["--deadline", "400ms", "--timeout", "1m"]].concat();
    let (out, err, code) = check(&["client"], &server(silent.address.port()), &more, &[]).await;
    let run = record(&out);
    assert_eq!((run.status, code), (Status::Unknown, 3), "{err}");
    assert!(run.outcomes.iter().all(|outcome| outcome.code == Code::TimedOut), "{out}");
    let (_, _, code) =
        check(&["client"], &server(silent.address.port()), &[&more[..], &["--fail-on", "unknown"]].concat(), &[]).await;
    assert_eq!(code, 1);
}

#[tokio::test]
async fn the_environments_proxy_is_used_where_the_profile_says_so() {
    let target = web().await;
    let sets = [server(target.address.port()), vec!["server.proxy=system".to_owned()]].concat();
    let proxy = format!("http://127.0.0.1:{}", closed_port().await);
    let (out, _, code) = check(&["client"], &sets, &WEB, &[("HTTP_PROXY", &proxy)]).await;
    let run = record(&out);
    let [finding] = run.findings.as_slice() else { panic!("{:#?}", run.findings) };
    assert_eq!((finding.code, code), (Code::ProxyUnreachable, 1));
    let direct = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "127.0.0.1")];
    let (out, _, code) = check(&["client"], &sets, &WEB, &direct).await;
    assert_eq!((record(&out).status, code), (Status::Pass, 0));
    let (out, _, code) = check(&["client"], &server(target.address.port()), &WEB, &[("HTTP_PROXY", &proxy)]).await;
    assert_eq!((record(&out).status, code), (Status::Pass, 0), "the profile does not ask for it");
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn a_password_is_used_and_never_repeated() {
    let database = respond(Service::Sql(responder::sql::Service::default()), "127.0.0.1:0").await;
    let sets = [
        "sql-server.host=127.0.0.1".to_owned(),
        format!("sql-server.port={}", database.address.port()),
        "sql-server.user=sa".to_owned(),
        "sql-server.password.env=SQL_PASSWORD".to_owned(),
    ];
    let secret = "correct-horse-battery";
    let more = ["--only", "sql-database", "--verbose", "--format"];
    for format in ["json", "table"] {
        let more = [&more[..], &[format]].concat();
        let (out, err, code) = check(&["server"], &sets, &more, &[("SQL_PASSWORD", secret)]).await;
        assert_eq!(code, 1, "the responder refuses every login: {out}");
        assert!(out.contains("sql-login-failed"), "{out}");
        assert!(!out.contains(secret) && !err.contains(secret));
    }
}
