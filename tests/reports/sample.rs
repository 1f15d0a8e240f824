//! A fixed run with something of everything, and one where all is well.

use std::net::IpAddr;

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, Icmp, Millis, Step, StepKind};
use bothways::model::finding::{Confidence, Lost, Remedy, Status, Who};
use bothways::model::flow::{Carries, Expect, Role, Transport};
use bothways::model::run::{Finding, Hop, Outcome, PathEvidence, Receipt, Run, RunInfo, SCHEMA, TaskVerdict, Tool};
use serde_json::json;

/// Passes, warnings, failures of several kinds, an undecided flow, a tool error, skipped flows, and a hostile server.
pub fn rich() -> Run {
    let outcomes = [client_side(), server_side(), vec![hostile(), trouble(), held_up()], skipped()].concat();
    run(Status::Fail, outcomes, tasks(), findings())
}

/// Everything passed; two flows belong to the other side.
pub fn green() -> Run {
    let outcomes = [vec![job_query(), wake_up_tcp()], skipped()].concat();
    let task = |name: &str, check: &str| task(name, Status::Pass, Some(check), None, &format!("Works ({check})."));
    run(Status::Pass, outcomes, vec![task("job-query", "job-query"), task("wake-up", "wake-up-tcp")], Vec::new())
}

pub fn run(status: Status, outcomes: Vec<Outcome>, tasks: Vec<TaskVerdict>, findings: Vec<Finding>) -> Run {
    Run {
        schema: SCHEMA,
        tool: Tool { name: "bothways".to_owned(), version: "0.1.0".to_owned() },
        run: RunInfo {
            id: "0199f1c2-0000-7000-8000-000000000001".to_owned(),
            started: "2026-11-23T02:17:00Z".to_owned(),
            elapsed_ms: 5_012,
            profile: "miradore".to_owned(),
            side: vec![Role::new("client"), Role::new("server")],
            host: "pc-17".to_owned(),
            peer: None,
            cut_short: None,
            word: None,
        },
        status,
        outcomes,
        tasks,
        findings,
        sightings: None,
    }
}

pub fn outcome(check: &str, from: &str, to: &str, target: &str, status: Status, code: Code, sentence: &str) -> Outcome {
    Outcome {
        check: check.to_owned(),
        title: String::new(),
        task: check.to_owned(),
        rank: 1,
        from: Role::new(from),
        to: Role::new(to),
        carries: None,
        tested_from: Some(Role::new(from)),
        endpoint: to.to_owned(),
        target: Some(target.to_owned()),
        transport: Transport::Tcp,
        port: target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()),
        expect: Expect::Open,
        status,
        code,
        lost: None,
        confidence: Confidence::Proven,
        sentence: sentence.to_owned(),
        remedy: None,
        path: PathEvidence::default(),
        steps: Vec::new(),
        facts: std::collections::BTreeMap::new(),
        receipts: Vec::new(),
        attempts: 1,
        source: "Miradore network traffic".to_owned(),
        rule: String::new(),
    }
}

fn step(kind: StepKind, at_ms: u64, micros: u64, address: Option<&str>, error: Option<Failure>) -> Step {
    let (took_ms, address) = (Millis(micros), address.map(str::to_owned));
    Step { kind, at_ms, took_ms, address, error, os_code: None, icmp: None, note: None }
}

fn network(text: &str) -> Remedy {
    Remedy { who: Who::Network, text: text.to_owned() }
}

fn job_query() -> Outcome {
    let sentence = "srv01.corp.example:443 (10.9.2.2) answered with status 200 over TLS 1.3.";
    Outcome {
        steps: vec![
            step(StepKind::Resolve, 0, 2_113, Some("srv01.corp.example"), None),
            step(StepKind::Connect, 2, 1_204, Some("10.9.2.2:443"), None),
            step(StepKind::Tls, 3, 8_512, None, None),
            step(StepKind::Request, 12, 101, None, None),
            step(StepKind::Reply, 12, 15_480, None, None),
        ],
        facts: [("status".to_owned(), json!(200)), ("tls-version".to_owned(), json!("TLSv1.3"))].into(),
        ..outcome("job-query", "client", "server", "srv01.corp.example:443", Status::Pass, Code::Ok, sentence)
    }
}

fn wake_up_tcp() -> Outcome {
    let sentence = "10.9.1.2:32227 accepted the connection, and the responder there has the receipt.";
    Outcome {
        task: "wake-up".to_owned(),
        rank: 2,
        steps: vec![step(StepKind::Connect, 0, 340, Some("10.9.1.2:32227"), None)],
        receipts: vec![Receipt {
            protocol: "tcp".to_owned(),
            token: None,
            source: "10.9.2.2:51544".to_owned(),
            arrived_at: "10.9.1.2:32227".to_owned(),
            received_bytes: 0,
            sent_bytes: 0,
            unacknowledged: None,
            unsent: None,
            at_ms: 1,
            asked: None,
            presented: None,
            headers: Vec::new(),
        }],
        ..outcome("wake-up-tcp", "server", "client", "10.9.1.2:32227", Status::Pass, Code::Ok, sentence)
    }
}

fn client_side() -> Vec<Outcome> {
    let limited = "srv01.corp.example:443 took 131072 of 1114036 bytes and then answered 413: bodies of that size are \
                   not let through.";
    let stripped = "srv01.corp.example:80 (10.9.2.2) answered without an upgrade, and a Via header shows a proxy: it \
                    removed the upgrade from the request.";
    let share =
        "files01.corp.example:445 (10.9.2.4) answers as an SMB server, but the share needs a user and a password.";
    let (client, server) = ("client", "server");
    let target = "srv01.corp.example:443";
    vec![
        job_query(),
        Outcome {
            confidence: Confidence::Likely,
            remedy: Some(network("Raise the limit on bodies for srv01.corp.example to 2 MB at least.")),
            steps: vec![
                step(StepKind::Connect, 0, 900, Some("10.9.1.9:8080"), None),
                step(StepKind::Proxy, 1, 12_000, Some("proxy.corp.example:8080"), None),
                step(StepKind::Request, 13, 210_000, None, None),
                step(StepKind::Reply, 223, 4_100, None, Some(Failure::Unexpected)),
            ],
            ..outcome("inventory", client, server, target, Status::Fail, Code::HttpSizeLimited, limited)
        },
        Outcome {
            task: "wake-up".to_owned(),
            carries: Some(Carries::ServerToClient),
            remedy: Some(network("Let WebSocket upgrades to srv01.corp.example pass, or use HTTPS.")),
            steps: vec![step(StepKind::Reply, 9, 3_000, None, Some(Failure::Unexpected))],
            ..outcome(
                "wake-up-websocket",
                client,
                server,
                "srv01.corp.example:80",
                Status::Fail,
                Code::WsUpgradeStripped,
                stripped,
            )
        },
        Outcome {
            remedy: Some(Remedy {
                who: Who::Profile,
                text: "Give the endpoint `installation-point` a `user` and a `password: { env: NAME }`.".to_owned(),
            }),
            ..outcome(
                "installation-share",
                client,
                "installation-point",
                "files01.corp.example:445",
                Status::Warn,
                Code::NeedsCredentials,
                share,
            )
        },
    ]
}

fn server_side() -> Vec<Outcome> {
    let rejected = "10.9.2.1 rejected the connection to sql01.corp.example:1433 (10.9.3.2): ICMP 3/13, prohibited by an \
                    administrator.";
    let dropped = "sql02.corp.example:1433 (10.9.3.3) did not answer within 5 s: the first packet is dropped after hop 1 \
                   (10.9.2.1).";
    let silent = "sql01.corp.example:1434/udp did not answer within 5 s. Silence on UDP proves nothing; a capture on \
                  sql01.corp.example would decide it.";
    let icmp = Icmp { kind: 3, code: 13, from: Some(IpAddr::from([10, 9, 2, 1])), v6: false };
    let (server, sql) = ("server", "sql-server");
    let refused = step(StepKind::Connect, 2, 1_100, Some("10.9.3.2:1433"), Some(Failure::HostUnreachable));
    let timed_out = step(StepKind::Connect, 1, 2_500_000, Some("10.9.3.3:1433"), Some(Failure::TimedOut));
    let database = |target, code, sentence| outcome("sql-database", server, sql, target, Status::Fail, code, sentence);
    let browser =
        outcome("sql-browser", server, sql, "sql01.corp.example:1434", Status::Unknown, Code::NoAnswer, silent);
    vec![
        wake_up_tcp(),
        Outcome {
            remedy: Some(network("Allow TCP 1433 from server to sql-server.")),
            path: PathEvidence { last_hop: None, rejected_by: Some(icmp) },
            steps: vec![
                step(StepKind::Resolve, 0, 1_900, Some("sql01.corp.example"), None),
                Step { icmp: Some(icmp), os_code: Some(113), ..refused },
            ],
            ..database("sql01.corp.example:1433", Code::Rejected, rejected)
        },
        Outcome {
            endpoint: "sql-server-2".to_owned(),
            lost: Some(Lost::Request),
            attempts: 2,
            remedy: Some(network("Allow TCP 1433 from server to sql-server.")),
            path: PathEvidence {
                last_hop: Some(Hop { ttl: 1, address: IpAddr::from([10, 9, 2, 1]) }),
                rejected_by: None,
            },
            steps: vec![timed_out.clone(), timed_out],
            ..database("sql02.corp.example:1433", Code::Dropped, dropped)
        },
        Outcome { transport: Transport::Udp, confidence: Confidence::Possible, attempts: 3, ..browser },
    ]
}

/// A server that tries to steer the reader's terminal.
fn hostile() -> Outcome {
    let banner = "\u{1b}]0;owned\u{7}\u{1b}[2J220 \u{9b}31mftp\u{202e}\r\nready";
    Outcome {
        endpoint: "installation-point-2".to_owned(),
        facts: [("banner".to_owned(), json!(banner))].into(),
        steps: vec![
            step(StepKind::Connect, 0, 600, Some("10.9.9.9:445"), None),
            step(StepKind::Reply, 1, 700, None, Some(Failure::Malformed)),
        ],
        ..outcome(
            "installation-share",
            "client",
            "installation-point",
            "10.9.9.9:445",
            Status::Fail,
            Code::WrongService,
            &format!("10.9.9.9:445 accepted the connection but did not speak SMB: it said \"{banner}\"."),
        )
    }
}

fn trouble() -> Outcome {
    let sentence =
        "10.9.2.5:445: an internal error. This is the tool's own trouble: please report it with the run record.";
    let (from, to) = ("deployment-tool", "deployment-target");
    outcome("deployment-share", from, to, "10.9.2.5:445", Status::Error, Code::ToolError, sentence)
}

fn held_up() -> Outcome {
    let (from, to) = ("server", "sql-server");
    let sentence = "The port of the instance is not known, for SQL Browser did not tell it: 10.9.3.4:1434 refuses.";
    let code = Code::PrerequisiteFailed;
    Outcome { attempts: 0, ..outcome("sql-database", from, to, "10.9.3.4:1433", Status::Skip, code, sentence) }
}

fn skipped() -> Vec<Outcome> {
    let skip = |check: &str, endpoint: &str, from: &str, sentence: String| Outcome {
        endpoint: endpoint.to_owned(),
        target: None,
        tested_from: None,
        ..outcome(check, from, endpoint, ":69", Status::Skip, Code::NotTestableFromHere, &sentence)
    };
    let no_host = |name: &str| {
        format!("The profile names no host for `{name}`; where there is one, name it: --set {name}.host=NAME")
    };
    let share = "This installation point offers its files as a share, not over HTTP.";
    let other = "Opened by the media-master: run this check there, with `--side media-master`.";
    vec![
        skip("network-boot", "boot-server", "client", no_host("boot-server")),
        skip("deployment-share", "deployment-target-2", "deployment-tool", no_host("deployment-target-2")),
        skip("patch-sources", "patch-source", "media-master", other.to_owned()),
        skip("installation-replication", "installation-point", "media-master", other.to_owned()),
        Outcome { code: Code::Ok, ..skip("installation-http", "installation-point", "client", share.to_owned()) },
    ]
}

fn task(task: &str, status: Status, served_by: Option<&str>, code: Option<Code>, sentence: &str) -> TaskVerdict {
    TaskVerdict {
        task: task.to_owned(),
        status,
        served_by: served_by.map(str::to_owned),
        code,
        sentence: sentence.to_owned(),
    }
}

fn tasks() -> Vec<TaskVerdict> {
    let fallback = "Only the fallback wake-up-tcp works; the first choice does not.";
    let dropped = &server_side()[2].sentence;
    vec![
        task("job-query", Status::Pass, Some("job-query"), None, "Works (job-query)."),
        task("wake-up", Status::Warn, Some("wake-up-tcp"), Some(Code::FallbackInUse), fallback),
        task("sql-database", Status::Fail, None, Some(Code::Dropped), dropped),
        task("network-boot", Status::Skip, None, None, "Nobody tests it."),
        task("installation-http", Status::Skip, None, None, "Nobody needs it."),
    ]
}

fn findings() -> Vec<Finding> {
    let all = [client_side(), server_side(), vec![hostile(), trouble()]].concat();
    let told = all.iter().filter(|outcome| !matches!(outcome.status, Status::Pass | Status::Warn));
    told.map(|outcome| Finding {
        code: outcome.code,
        status: outcome.status,
        outcomes: vec![outcome.check.clone()],
        targets: outcome.target.iter().cloned().collect(),
        sentence: outcome.sentence.clone(),
        remedy: outcome.remedy.clone(),
    })
    .collect()
}
