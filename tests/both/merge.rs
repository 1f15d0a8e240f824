//! `bothways merge`: runs of two sides taken apart, joined afterwards; and the word that shows that they belong together.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use bothways::diagnose::both::{Observed, union, with_far_side};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status};
use bothways::model::flow::{Role, Transport};
use bothways::model::run::{Outcome, Run};
use bothways::model::sighting::{AnsweredBy, Means, SightingKind, Sightings};
use bothways::report::{Format, Look, render};

use super::scene::{TOKEN, far, given, ours, stopped, with, with_token};
use crate::reports::sample;

/// Runs in a folder that goes away with the test.
struct Saved(tempfile::TempDir);

impl Saved {
    fn new(runs: &[(&str, &Run)]) -> Self {
        let saved = Self(tempfile::tempdir().expect("a folder"));
        for (name, run) in runs {
            std::fs::write(saved.path(name), render(Format::Json, run, &Look::plain(80))).expect("a file");
        }
        saved
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Merges the named files; what went to stdout and stderr, and the exit code.
    fn merge(&self, names: &[&str]) -> (String, String, i32) {
        bothways(std::iter::once("merge".into()).chain(names.iter().map(|name| self.path(name))))
    }

    fn merged(&self, names: &[&str]) -> Run {
        let json = [PathBuf::from("--format"), PathBuf::from("json")];
        let files = names.iter().map(|name| self.path(name));
        let (out, err, _) = bothways(std::iter::once("merge".into()).chain(files).chain(json));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"))
    }
}

fn bothways(arguments: impl Iterator<Item = PathBuf>) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bothways"));
    let output = command.args(arguments).env_remove("NO_COLOR").output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("it was not killed"))
}

fn named(outcome: Outcome, check: &str) -> Outcome {
    Outcome { check: check.to_owned(), task: check.to_owned(), ..outcome }
}

fn of(id: &str, side: &str, host: &str, outcomes: Vec<Outcome>, sightings: Option<Sightings>) -> Run {
    let mut run = sample::run(Status::Fail, outcomes, Vec::new(), Vec::new());
    id.clone_into(&mut run.run.id);
    run.run.side = vec![Role::new(side)];
    host.clone_into(&mut run.run.host);
    run.run.word = Some("fingerprint".to_owned());
    run.sightings = sightings;
    run
}

fn left_to(check: &str, from: &str, to: &str) -> Outcome {
    let outcome =
        sample::outcome(check, from, to, "10.9.2.2:443", Status::Skip, Code::NotTestableFromHere, "Opened elsewhere.");
    Outcome { tested_from: None, ..outcome }
}

fn page() -> Outcome {
    named(with_token(given(Transport::Tcp, 80, Status::Pass, Code::Ok)), "page")
}

fn blocked() -> Outcome {
    named(
        stopped(given(Transport::Tcp, 443, Status::Fail, Code::Dropped), StepKind::Connect, Failure::TimedOut),
        "blocked",
    )
}

fn boot() -> Outcome {
    let outcome = given(Transport::Udp, 69, Status::Unknown, Code::NoAnswer);
    named(with(outcome, &[(Fact::Token, "ffffffffffffffff".into())]), "boot")
}

fn wake_up() -> Outcome {
    sample::outcome("wake-up", "server", "client", "10.9.1.2:32227", Status::Pass, Code::Ok, "Works.")
}

fn client() -> Run {
    of("a", "client", "pc-17", vec![page(), blocked(), boot(), left_to("wake-up", "server", "client")], None)
}

fn sightings() -> Sightings {
    let mut seen = far(&blocked(), AnsweredBy::Responder)
        .watching(&[Means::ConnectionTable])
        .saw(SightingKind::HalfOpen)
        .received(ours("http", 80, 300, 90))
        .sightings;
    for (outcome, check) in [(page(), "page"), (boot(), "boot"), (blocked(), "blocked")] {
        let mut answer = far(&outcome, AnsweredBy::Responder).sightings.answers.remove(0);
        answer.checks = vec![check.to_owned()];
        seen.answers.push(answer);
    }
    seen.answers.remove(0);
    seen
}

fn server() -> Run {
    let left = ["page", "blocked", "boot"].map(|check| left_to(check, "client", "server"));
    let outcomes = [vec![wake_up()], left.to_vec()].concat();
    of("b", "server", "srv01", outcomes, Some(sightings()))
}

#[test]
fn runs_of_two_sides_give_the_verdicts_of_a_joined_run() {
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &server())]);
    let merged = saved.merged(&["a.json", "b.json"]);
    let observed =
        Observed { prober: IpAddr::from([10, 9, 1, 2]), alone: false, certificate: None, governs: false, near: None };
    let mut own = client().outcomes;
    for outcome in own.iter_mut().filter(|outcome| outcome.tested_from.is_some()) {
        with_far_side(outcome, &sightings(), &observed);
    }
    assert_eq!(merged.outcomes, union(own, server().outcomes));
    let said: Vec<_> = merged.outcomes.iter().map(|one| (one.check.as_str(), one.status, one.code, one.lost)).collect();
    let wanted = [
        ("page", Status::Pass, Code::Ok, None),
        ("blocked", Status::Fail, Code::Dropped, Some(Lost::Reply)),
        ("boot", Status::Fail, Code::Dropped, Some(Lost::Request)),
        ("wake-up", Status::Pass, Code::Ok, None),
    ];
    assert_eq!(said, wanted);
    assert_eq!((merged.status, merged.tasks.len(), merged.findings.len()), (Status::Fail, 4, 2));
    assert_eq!(merged.outcomes[0].receipts.len(), 1);
    let peer = merged.run.peer.expect("a peer");
    assert_eq!(
        (merged.run.side, peer.side, peer.address),
        (vec![Role::new("client")], vec![Role::new("server")], "srv01".to_owned())
    );
}

#[test]
fn a_request_from_the_probes_own_port_is_its_own_whatever_address_it_was_given_on_the_way() {
    let spoke_from = with(blocked(), &[(Fact::LocalAddress, "10.9.1.2:50123".into())]);
    let client = of("a", "client", "pc-17", vec![page(), spoke_from], None);
    let translated = |port: u16| {
        let mut seen = sightings();
        seen.sighted.iter_mut().for_each(|one| one.remote = format!("10.9.2.77:{port}").parse().expect("an address"));
        of("b", "server", "srv01", vec![left_to("page", "client", "server")], Some(seen))
    };
    for (port, lost) in [(50_123, Lost::Reply), (50_124, Lost::Request)] {
        let saved = Saved::new(&[("a.json", &client), ("b.json", &translated(port))]);
        let merged = saved.merged(&["a.json", "b.json"]);
        let outcome = merged.outcomes.iter().find(|outcome| outcome.check == "blocked").expect("it is there");
        assert_eq!(outcome.lost, Some(lost), "{}", outcome.sentence);
        assert_eq!(
            outcome.confidence == Confidence::Proven,
            lost == Lost::Reply,
            "a stranger's request leaves a doubt"
        );
    }
}

#[test]
fn the_order_of_the_files_changes_the_order_and_not_the_verdicts() {
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &server())]);
    let sorted = |run: Run| {
        let mut outcomes = run.outcomes;
        outcomes.sort_by(|one, other| one.check.cmp(&other.check));
        outcomes
    };
    assert_eq!(sorted(saved.merged(&["a.json", "b.json"])), sorted(saved.merged(&["b.json", "a.json"])));
}

#[test]
fn clocks_that_differ_change_nothing() {
    let mut later = server();
    later.run.started = "1999-01-01T00:00:00Z".to_owned();
    let seen = later.sightings.as_mut().expect("sightings");
    seen.receipts.iter_mut().for_each(|receipt| receipt.at_ms = 0);
    seen.sighted.iter_mut().for_each(|sighting| sighting.at_ms = u64::MAX);
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &server()), ("later.json", &later)]);
    let verdicts = |run: Run| {
        run.outcomes.into_iter().map(|one| (one.check, one.code, one.lost, one.sentence)).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(saved.merged(&["a.json", "later.json"])), verdicts(saved.merged(&["a.json", "b.json"])));
}

#[test]
fn a_merged_run_is_shown_and_saved_like_any_other() {
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &server())]);
    let (table, err, code) = saved.merge(&["a.json", "b.json"]);
    assert_eq!((err.as_str(), code), ("", 1), "{table}");
    assert!(table.contains("lost on the way back"), "{table}");
    let files = ["a.json", "b.json"].map(|name| saved.path(name));
    let whole = ["--format", "json", "--output"].map(PathBuf::from);
    let merged = saved.path("merged.json");
    let told = bothways(std::iter::once("merge".into()).chain(files).chain(whole).chain([merged.clone()]));
    assert_eq!(told, (String::new(), String::new(), 1));
    assert_eq!(bothways([PathBuf::from("report"), merged].into_iter()), (table, String::new(), 0));
}

#[test]
fn runs_that_cannot_belong_together_end_with_2_and_say_why() {
    let changed = |run: Run, change: fn(&mut Run)| {
        let mut run = run;
        change(&mut run);
        run
    };
    let again = changed(client(), |run| run.run.id = "c".to_owned());
    let other_word = changed(server(), |run| run.run.word = Some("another".to_owned()));
    let foreign = changed(server(), |run| {
        run.run.profile = "other".to_owned();
        run.sightings = None;
        run.outcomes = vec![named(wake_up(), "mail")];
    });
    let merged = changed(server(), |run| run.run.id = "b+c".to_owned());
    let saved = Saved::new(&[
        ("a.json", &client()),
        ("again.json", &again),
        ("b.json", &server()),
        ("word.json", &other_word),
        ("foreign.json", &foreign),
        ("merged.json", &merged),
    ]);
    std::fs::write(saved.path("text.json"), "hello").expect("a file");
    for (names, why) in [
        (&["a.json", "b.json", "a.json"][..], "are the same run"),
        (&["a.json", "again.json"], "are both of the side client on the machine pc-17"),
        (&["a.json", "word.json"], "were taken with different run words"),
        (&["a.json", "foreign.json"], "have no check in common (profiles `miradore` and `other`)"),
        (&["a.json", "merged.json"], "was merged already"),
        (&["a.json", "text.json"], "text.json:1:1: not a run saved with `--format json`"),
        (&["a.json", "missing.json"], "can't read"),
        (&["a.json"], "2 values required"),
        (&[], "required"),
    ] {
        let (out, err, code) = saved.merge(names);
        assert_eq!((out.as_str(), code), ("", 2), "{names:?}: {err}");
        assert!(err.contains(why), "{names:?}: {err}");
    }
}

#[test]
fn sides_that_each_listened_beside_testing_are_merged_all_at_once() {
    let listened = |id: &str, side: &str, host: &str, checks: &[&str]| {
        let mut seen = sightings();
        seen.answers.truncate(1);
        seen.answers[0].checks = checks.iter().map(|check| (*check).to_owned()).collect();
        of(id, side, host, Vec::new(), Some(seen))
    };
    let (here, there) = (listened("c", "client", "pc-17", &["wake-up"]), listened("d", "server", "srv01", &["page"]));
    let tested = Run { sightings: None, ..server() };
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &tested), ("c.json", &here), ("d.json", &there)]);
    let run = saved.merged(&["a.json", "b.json", "c.json", "d.json"]);
    let checks: Vec<&str> = run.outcomes.iter().map(|outcome| outcome.check.as_str()).collect();
    assert_eq!(checks, ["page", "blocked", "boot", "wake-up"]);
    assert!(run.outcomes.iter().all(|outcome| outcome.tested_from.is_some()), "{run:#?}");
}

#[test]
fn what_nobody_shows_to_be_of_one_occasion_is_listed_and_not_judged() {
    let mut without = server();
    without.run.word = None;
    without.sightings.as_mut().expect("sightings").receipts.clear();
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &without)]);
    let (_, err, _) = saved.merge(&["a.json", "b.json"]);
    assert!(err.contains("nothing shows that"), "{err}");
    let merged = saved.merged(&["a.json", "b.json"]);
    assert_eq!(merged.outcomes[..3], client().outcomes[..3]);
    assert_eq!(merged.outcomes[3], wake_up());
}

#[test]
fn a_token_in_a_receipt_shows_it_too() {
    let mut without = server();
    without.run.word = None;
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &without)]);
    let (_, err, _) = saved.merge(&["a.json", "b.json"]);
    assert_eq!(err, "");
    assert_eq!(saved.merged(&["a.json", "b.json"]).outcomes[1].lost, Some(Lost::Reply));
}

#[test]
fn runs_without_sightings_and_of_other_profiles_are_merged_with_a_word_of_warning() {
    let mut blind = server();
    blind.sightings = None;
    let mut renamed = server();
    renamed.run.profile = "our-site".to_owned();
    let saved = Saved::new(&[("a.json", &client()), ("blind.json", &blind), ("renamed.json", &renamed)]);
    let (_, err, code) = saved.merge(&["a.json", "blind.json"]);
    assert!(err.contains("no run holds what its side saw") && code == 1, "{err}");
    let (_, err, code) = saved.merge(&["a.json", "renamed.json"]);
    assert!(err.contains("different profiles (`miradore` and `our-site`)") && code == 1, "{err}");
}

#[test]
fn a_side_may_test_in_one_run_and_listen_in_another() {
    let mut tested = server();
    tested.run.id = "c".to_owned();
    tested.sightings = None;
    let mut listened = server();
    listened.outcomes.clear();
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &listened), ("c.json", &tested)]);
    let merged = saved.merged(&["a.json", "b.json", "c.json"]);
    assert_eq!(merged.outcomes, saved_pair());
}

fn saved_pair() -> Vec<Outcome> {
    Saved::new(&[("a.json", &client()), ("b.json", &server())]).merged(&["a.json", "b.json"]).outcomes
}

#[test]
fn two_clients_with_one_word_are_told_apart_by_their_addresses() {
    let mut other = client();
    other.run.id = "c".to_owned();
    other.run.host = "pc-18".to_owned();
    let silent = with(
        named(given(Transport::Tcp, 80, Status::Fail, Code::Silent), "page"),
        &[(Fact::Token, TOKEN.into()), (Fact::LocalAddress, "10.9.1.3:50000".into())],
    );
    other.outcomes = vec![silent];
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &server()), ("c.json", &other)]);
    let merged = saved.merged(&["a.json", "b.json", "c.json"]);
    let pages: Vec<_> = merged.outcomes.iter().filter(|one| one.check == "page").collect();
    assert_eq!((pages[0].status, pages[0].receipts.len()), (Status::Pass, 1));
    assert_eq!(
        (pages[1].code, pages[1].receipts.len()),
        (Code::AcceptedInPath, 0),
        "the other one's receipt is not its own"
    );
}

#[test]
fn two_clients_with_one_word_behind_one_address_are_not_told_apart() {
    let mut other = client();
    other.run.id = "c".to_owned();
    other.run.host = "pc-18".to_owned();
    let silent =
        with(named(given(Transport::Tcp, 80, Status::Fail, Code::Silent), "page"), &[(Fact::Token, TOKEN.into())]);
    other.outcomes = vec![silent];
    let mut translated = server();
    translated.sightings.as_mut().expect("sightings").receipts[0].source = "198.51.100.7:4000".to_owned();
    let saved = Saved::new(&[("a.json", &client()), ("b.json", &translated), ("c.json", &other)]);
    let merged = saved.merged(&["a.json", "b.json", "c.json"]);
    let pages: Vec<_> = merged.outcomes.into_iter().filter(|one| one.check == "page").collect();
    assert_eq!(pages, [client().outcomes[0].clone(), other.outcomes[0].clone()], "whose receipt it is stays open");
}

#[test]
fn tokens_come_from_the_word_where_there_is_one() {
    let tokens = |word: &[&str]| {
        let fixed = ["check", "miradore", "--side", "client", "--only", "job-query", "--set", "server.host=127.0.0.1"];
        let port = ["--set", "server.port=1", "--format", "json"];
        let arguments = fixed.iter().chain(&port).chain(word).map(PathBuf::from);
        let (out, err, _) = bothways(arguments);
        let run: Run = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
        (run.outcomes[0].facts["token"].clone(), run.run.word)
    };
    let blue = tokens(&["--word", "blue"]);
    assert_eq!(blue, tokens(&["--word", " Blue "]));
    assert_ne!(blue, tokens(&["--word", "green"]));
    assert!(!format!("{blue:?}").contains("blue"));
    let random = tokens(&[]);
    assert_eq!(random.1, None);
    assert_ne!(random.0, tokens(&[]).0);
    let (_, err, code) = bothways(["check", "miradore", "--word", " "].map(PathBuf::from).into_iter());
    assert!(err.contains("a run word must not be empty") && code == 2, "{err}");
}
