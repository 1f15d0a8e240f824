//! One cause, one finding; several causes, several findings: by plain records.

use serde_json::json;

use super::findings;
use crate::model::code::Code;
use crate::model::evidence::{Failure, Icmp, Millis, Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Lost, Remedy, Status, Who};
use crate::model::flow::{Expect, Role, Transport};
use crate::model::run::{Finding, Hop, Outcome, PathEvidence, Peer, RunInfo};

fn run() -> RunInfo {
    RunInfo {
        id: "1".to_owned(),
        started: "2026-11-23T02:17:00Z".to_owned(),
        elapsed_ms: 1,
        profile: "miradore".to_owned(),
        side: vec![Role::new("client")],
        host: "pc-17".to_owned(),
        peer: None,
        cut_short: None,
        word: None,
    }
}

/// A failed flow over TCP; its rule is named by its check.
pub fn failed(check: &str, target: &str, code: Code) -> Outcome {
    let (_, port) = target.rsplit_once(':').expect("a port");
    let rule = format!("Allow {target} for {check}.");
    Outcome {
        check: check.to_owned(),
        title: String::new(),
        task: check.to_owned(),
        rank: 1,
        from: Role::new("client"),
        to: Role::new("server"),
        carries: None,
        tested_from: Some(Role::new("client")),
        endpoint: "server".to_owned(),
        target: Some(target.to_owned()),
        transport: Transport::Tcp,
        port: port.parse().ok(),
        expect: Expect::Open,
        status: Status::Fail,
        code,
        lost: None,
        confidence: Confidence::Likely,
        sentence: format!("{target} fails."),
        remedy: Some(Remedy { who: Who::Network, text: format!("{rule} See the log.") }),
        path: PathEvidence::default(),
        steps: Vec::new(),
        facts: std::collections::BTreeMap::new(),
        receipts: Vec::new(),
        attempts: 1,
        source: String::new(),
        rule,
    }
}

fn passed(check: &str, target: &str) -> Outcome {
    Outcome { status: Status::Pass, ..failed(check, target, Code::Ok) }
}

fn with(mut outcome: Outcome, fact: Fact, value: serde_json::Value) -> Outcome {
    outcome.facts.insert(fact.word().to_owned(), value);
    outcome
}

pub fn stopped(mut outcome: Outcome, kind: StepKind, failure: Failure) -> Outcome {
    let address = outcome.target.clone();
    let error = Some(failure);
    outcome.steps.push(Step {
        kind,
        at_ms: 0,
        took_ms: Millis(1),
        address,
        error,
        os_code: None,
        icmp: None,
        note: None,
    });
    outcome
}

fn rejected(check: &str, target: &str, from: &str, code: u8) -> Outcome {
    let icmp = Icmp { kind: 3, code, from: Some(from.parse().expect("an address")), v6: false };
    Outcome { path: PathEvidence { last_hop: None, rejected_by: Some(icmp) }, ..failed(check, target, Code::Rejected) }
}

fn unanswered(check: &str, target: &str) -> Outcome {
    Outcome { transport: Transport::Udp, status: Status::Unknown, ..failed(check, target, Code::NoAnswer) }
}

fn behind(mut outcome: Outcome, hop: &str) -> Outcome {
    outcome.path.last_hop = Some(Hop { ttl: 1, address: hop.parse().expect("an address") });
    outcome
}

/// Codes and checks.
fn told(findings: &[Finding]) -> Vec<(Code, Vec<&str>)> {
    findings.iter().map(|one| (one.code, one.outcomes.iter().map(String::as_str).collect())).collect()
}

fn text(finding: &Finding) -> &str {
    finding.remedy.as_ref().map(|remedy| remedy.text.as_str()).unwrap_or_default()
}

#[test]
fn flows_of_one_dropped_port_are_one_finding_whose_remedy_names_every_rule() {
    let flows = [
        failed("a", "srv:80", Code::Dropped),
        Outcome { confidence: Confidence::Proven, lost: Some(Lost::Request), ..failed("b", "srv:80", Code::Dropped) },
        passed("c", "srv:443"),
    ];
    let found = findings(&flows, &run());
    assert_eq!(told(&found), [(Code::Dropped, vec!["a", "b"])]);
    assert_eq!(text(&found[0]), "Allow srv:80 for a. Allow srv:80 for b. See the log.");
    assert_eq!(found[0].targets, ["TCP srv:80"]);
}

#[test]
fn a_rule_that_another_one_says_more_of_is_not_said_twice() {
    let plain = failed("a", "srv:80", Code::Dropped);
    let more =
        Outcome { rule: "Allow srv:80 for a, with large bodies.".to_owned(), ..failed("b", "srv:80", Code::Dropped) };
    let found = findings(&[plain, more, passed("c", "srv:443")], &run());
    assert_eq!(text(&found[0]), "Allow srv:80 for a, with large bodies. See the log.");
}

#[test]
fn two_dropped_ports_of_a_host_that_answers_on_another_are_two_findings() {
    let flows = [failed("a", "srv:80", Code::Dropped), failed("b", "srv:445", Code::Dropped), passed("c", "srv:443")];
    assert_eq!(findings(&flows, &run()).len(), 2);
}

#[test]
fn a_host_that_is_silent_on_everything_is_one_finding() {
    let flows = [
        failed("a", "srv:80", Code::Dropped),
        failed("b", "srv:445", Code::Dropped),
        unanswered("c", "srv:69"),
        passed("d", "other:443"),
    ];
    let found = findings(&flows, &run());
    assert_eq!(told(&found), [(Code::Dropped, vec!["a", "b", "c"])]);
    assert_eq!(found[0].status, Status::Fail);
    assert!(found[0].sentence.starts_with("srv is silent on everything"), "{}", found[0].sentence);
    for rule in ["for a.", "for b.", "for c."] {
        assert!(text(&found[0]).contains(rule), "{}", text(&found[0]));
    }
}

#[test]
fn silence_of_datagrams_alone_shows_no_host_that_is_off() {
    let found = findings(&[unanswered("a", "srv:69"), unanswered("b", "srv:1434")], &run());
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn a_host_that_speaks_over_the_control_channel_is_not_off() {
    let joined = RunInfo { peer: Some(Peer { side: vec![Role::new("server")], address: "srv".to_owned() }), ..run() };
    let flows = [failed("a", "srv:80", Code::Dropped), failed("b", "srv:445", Code::Dropped)];
    assert_eq!(findings(&flows, &joined).len(), 2);
}

#[test]
fn silence_of_every_host_behind_one_device_is_one_finding() {
    let flows =
        || [failed("a", "one:80", Code::Dropped), failed("b", "two:445", Code::Dropped), unanswered("c", "two:69")];
    let same = flows().map(|outcome| behind(outcome, "10.9.1.1"));
    assert_eq!(told(&findings(&same, &run())), [(Code::Dropped, vec!["a", "b", "c"])]);
    let [a, b, c] = flows();
    let several = [behind(a, "10.9.1.1"), behind(b, "10.9.1.2"), c];
    assert_eq!(findings(&several, &run()).len(), 2, "two ways end at two devices");
}

#[test]
fn one_device_that_rejects_with_one_message_is_one_finding_that_lists_the_ports() {
    let flows = [
        rejected("a", "srv:80", "10.9.1.1", 13),
        rejected("b", "sql:1433", "10.9.1.1", 13),
        rejected("c", "sql:445", "10.9.1.1", 10),
        rejected("d", "sql:139", "10.9.2.1", 13),
    ];
    let found = findings(&flows, &run());
    assert_eq!(
        told(&found),
        [(Code::Rejected, vec!["a", "b"]), (Code::Rejected, vec!["c"]), (Code::Rejected, vec!["d"])]
    );
    assert!(found[0].sentence.ends_with("The same holds for TCP sql:1433."), "{}", found[0].sentence);
    assert!(text(&found[0]).starts_with("Allow srv:80 for a. Allow sql:1433 for b."), "{}", text(&found[0]));
}

#[test]
fn a_machine_without_a_route_is_one_finding_for_all_hosts() {
    let no_route = |check, target| {
        stopped(failed(check, target, Code::Unreachable), StepKind::Connect, Failure::NetworkUnreachable)
    };
    let flows = [no_route("a", "one:80"), no_route("b", "two:445"), failed("c", "three:80", Code::Unreachable)];
    let found = findings(&flows, &run());
    assert_eq!(told(&found), [(Code::Unreachable, vec!["a", "b"]), (Code::Unreachable, vec!["c"])]);
}

#[test]
fn what_the_other_machine_can_not_reach_has_a_cause_of_its_own() {
    let no_route = |check, from: &str| Outcome {
        tested_from: Some(Role::new(from)),
        ..stopped(failed(check, "one:80", Code::Unreachable), StepKind::Connect, Failure::NetworkUnreachable)
    };
    assert_eq!(findings(&[no_route("a", "client"), no_route("b", "server")], &run()).len(), 2);
}

#[test]
fn a_silent_gateway_is_one_finding_that_speaks_of_the_gateway() {
    let off =
        |check, target| stopped(failed(check, target, Code::Unreachable), StepKind::Connect, Failure::HostUnreachable);
    let found = findings(&[off("a", "one:80"), off("b", "two:445")], &run());
    assert_eq!(told(&found), [(Code::Unreachable, vec!["a", "b"])]);
    assert!(found[0].sentence.contains("gateway"), "{}", found[0].sentence);
    assert_eq!(findings(&[off("a", "one:80")], &run())[0].sentence, "one:80 fails.", "a host by itself may be off");
    let near = |check, target| with(off(check, target), Fact::OnLink, json!(true));
    let found = findings(&[near("a", "one:80"), near("b", "one:445"), near("c", "two:80")], &run());
    assert_eq!(told(&found), [(Code::Unreachable, vec!["a", "b"]), (Code::Unreachable, vec!["c"])]);
}

#[test]
fn name_servers_in_trouble_are_one_finding_for_all_names_and_a_missing_name_is_its_own() {
    let flows = [
        failed("a", "one.example:80", Code::NameServerSilent),
        failed("b", "two.example:445", Code::NameServerSilent),
        failed("c", "three.example:80", Code::NameNotFound),
        failed("d", "three.example:445", Code::NameNotFound),
    ];
    let found = findings(&flows, &run());
    assert_eq!(told(&found), [(Code::NameServerSilent, vec!["a", "b"]), (Code::NameNotFound, vec!["c", "d"])]);
}

#[test]
fn a_proxy_is_one_cause_and_what_lies_behind_it_another() {
    let through = |check, target, code| with(failed(check, target, code), Fact::Proxy, json!("proxy:3128"));
    let down = [through("a", "one:80", Code::ProxyUnreachable), through("b", "two:443", Code::ProxyUnreachable)];
    assert_eq!(findings(&down, &run()).len(), 1);
    let behind =
        [through("a", "one:80", Code::ProxyUpstreamFailed), through("b", "two:443", Code::ProxyUpstreamFailed)];
    assert_eq!(findings(&behind, &run()).len(), 2, "each server has a trouble of its own");
    let mute = |check, target| with(through(check, target, Code::Silent), Fact::ProxyItself, json!("no answer"));
    let tunnelled = stopped(mute("b", "two:443"), StepKind::Proxy, Failure::TimedOut);
    let forwarded = stopped(mute("a", "one:80"), StepKind::Reply, Failure::TimedOut);
    assert_eq!(findings(&[tunnelled, forwarded], &run()).len(), 1, "it answers nobody");
    let cut = |check, target| through(check, target, Code::ResetOnPayload);
    let tunnelled = stopped(cut("b", "two:443"), StepKind::Proxy, Failure::Reset);
    let forwarded = stopped(cut("a", "one:80"), StepKind::Reply, Failure::Reset);
    assert_eq!(findings(&[tunnelled, forwarded], &run()).len(), 1, "it ends everything");
}

#[test]
fn one_device_with_a_page_for_everybody_is_one_cause() {
    let page = |check, target, answer: &str| {
        let mut outcome = with(failed(check, target, Code::HttpRedirected), Fact::NowhereAnswer, json!(answer));
        outcome.path.last_hop = Some(Hop { ttl: 1, address: "10.9.1.1".parse().expect("an address") });
        outcome
    };
    assert_eq!(findings(&[page("a", "one:80", "same"), page("b", "two:443", "same")], &run()).len(), 1);
    assert_eq!(findings(&[page("a", "one:80", "none"), page("b", "two:443", "none")], &run()).len(), 2);
}

#[test]
fn one_certificate_is_one_finding_and_one_interceptor_is_one_for_all_hosts() {
    let expired = [failed("a", "srv:443", Code::TlsExpired), failed("b", "srv:443", Code::TlsExpired)];
    assert_eq!(findings(&expired, &run()).len(), 1);
    let leaf = |issuer: &str| json!([{ "subject": "CN=x", "issuer": issuer, "names": [], "not-before": "", "not-after": "", "sha256": "" }]);
    let read = |check, target, issuer| with(failed(check, target, Code::TlsIntercepted), Fact::TlsChain, leaf(issuer));
    let flows = [read("a", "one:443", "CN=Box"), read("b", "two:443", "CN=Box"), read("c", "three:443", "CN=Else")];
    assert_eq!(
        told(&findings(&flows, &run())),
        [(Code::TlsIntercepted, vec!["a", "b"]), (Code::TlsIntercepted, vec!["c"])]
    );
}

#[test]
fn what_was_not_tested_for_a_cause_is_told_with_it() {
    let browser = unanswered("sql-browser", "sql:1434");
    let skipped = Outcome {
        status: Status::Skip,
        ..with(failed("sql-database", "sql:1433", Code::PrerequisiteFailed), Fact::Prerequisite, json!("sql-browser"))
    };
    let found = findings(&[browser.clone(), skipped.clone()], &run());
    assert_eq!(told(&found), [(Code::NoAnswer, vec!["sql-browser"])]);
    assert!(found[0].sentence.ends_with("For that, sql-database was not tested."), "{}", found[0].sentence);
    let elsewhere = Outcome { endpoint: "another".to_owned(), ..skipped };
    assert!(!findings(&[browser, elsewhere], &run())[0].sentence.contains("sql-database"));
}

#[test]
fn the_heaviest_finding_comes_first_and_among_equals_the_broadest() {
    let flows = [
        unanswered("a", "one:69"),
        failed("b", "one:80", Code::Refused),
        failed("c", "two:80", Code::Refused),
        failed("d", "two:80", Code::Refused),
    ];
    let found = findings(&flows, &run());
    let first: Vec<&str> = found.iter().map(|one| one.outcomes[0].as_str()).collect();
    assert_eq!(first, ["c", "b", "a"]);
}
