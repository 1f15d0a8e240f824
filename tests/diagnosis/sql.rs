//! Conversations that show the rows of the table of SQL Server.

use std::io::ErrorKind;

use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::{Probe, Sql, SqlBrowser, SqlEncryption};
use bothways::model::secret::{Account, SecretSource};
use serde_json::json;

use super::seen::{FIRST, Seen, icmp};

fn asked(settings: Sql) -> Seen {
    Seen::of(Probe::Sql(settings), 1433).accepted()
}

fn with_account() -> Sql {
    let password = SecretSource::Env("PASSWORD".to_owned());
    Sql { account: Some(Account { user: "sa".to_owned(), domain: None, password }), ..Sql::default() }
}

/// PRELOGIN is answered so.
fn prelogin(settings: Sql, encryption: &str) -> Seen {
    asked(settings).went_well(StepKind::Reply).fact(Fact::Version, "16.0.1000").fact(Fact::Encryption, encryption)
}

fn browser() -> Seen {
    let settings = SqlBrowser { instance: Some("MIRADORE".to_owned()) };
    Seen::of(Probe::SqlBrowser(settings), 1434).accepted()
}

fn named(name: &str) -> Seen {
    browser().went_well(StepKind::Reply).fact(Fact::Instances, json!([{ "name": name }]))
}

/// The port of this conversation is the one that SQL Browser named.
fn instance_port() -> Seen {
    let settings = Sql { instance: Some("MIRADORE".to_owned()), ..Sql::default() };
    Seen::of(Probe::Sql(settings), 49731).fact(Fact::InstancePort, 49731)
}

fn prelogins() -> Vec<(&'static str, Seen)> {
    let strict = Sql { encryption: Some(SqlEncryption::Strict), ..Sql::default() };
    let required = Sql { encryption: Some(SqlEncryption::Required), ..Sql::default() };
    let another = Sql { instance: Some("MIRADORE".to_owned()), ..Sql::default() };
    vec![
        ("PRELOGIN answered", prelogin(Sql::default(), "off")),
        ("PRELOGIN answered", prelogin(strict, "strict")),
        (
            "PRELOGIN answered",
            prelogin(with_account(), "on").fact(Fact::LoggedIn, true).fact(Fact::QueryAnswered, true),
        ),
        (
            "PRELOGIN answered inside TLS only, and the profile does not say `strict`",
            prelogin(Sql::default(), "strict"),
        ),
        ("less encryption than the profile wants", prelogin(required, "not-supported")),
        ("TLS below 1.2 only", prelogin(Sql::default(), "on").fails(StepKind::Tls, Failure::TlsVersion)),
        (
            "the port belongs to another instance",
            prelogin(another, "off").fact(Fact::Instance, "MIRADORE").fact(Fact::InstanceMatches, false),
        ),
        ("an answer that is not TDS", asked(Sql::default()).fails(StepKind::Reply, Failure::Malformed)),
        (
            "the login refused, with SQL Server's own error number",
            prelogin(with_account(), "on").fact(Fact::LoginError, 18456).fails(StepKind::Reply, Failure::Unexpected),
        ),
    ]
}

fn instances() -> Vec<(&'static str, Seen)> {
    let port = "the port that SQL Browser named is dropped, refused or rejected";
    let prohibited = icmp(3, 13, FIRST);
    vec![
        (port, instance_port().fails(StepKind::Connect, Failure::TimedOut)),
        (port, instance_port().fails(StepKind::Connect, Failure::Refused)),
        (port, instance_port().told(StepKind::Connect, ErrorKind::HostUnreachable, prohibited)),
        (
            "the same, by this machine's own firewall",
            instance_port().fact(Fact::KeptBack, true).fails(StepKind::Connect, Failure::TimedOut),
        ),
        ("SQL Browser answers, and lists no such instance, or no TCP port for it", named("OTHER")),
        ("SQL Browser answers, and lists no such instance, or no TCP port for it", named("MIRADORE")),
        ("SQL Browser is silent", browser().fails(StepKind::Reply, Failure::TimedOut)),
    ]
}

#[test]
fn the_table_of_sql_server_is_what_the_judges_do() {
    let all = prelogins().into_iter().chain(instances());
    let judged: Vec<(&str, Judgement)> = all.map(|(name, seen)| (name, seen.judged())).collect();
    let elsewhere = [
        "SQL Browser did not name the port that a check waits for",
        "SQL Browser tells of the instance MSSQLSERVER each of three times, and never lists all",
    ];
    super::assert_told("SQL Server", &judged, &elsewhere);
}
