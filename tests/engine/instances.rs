//! SQL Browser and the instance whose port it tells: one check waits for the other.

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::run::Run;
use bothways::model::span::Span;
use bothways::responder::{self, Open, Service};
use tokio::net::UdpSocket;

use super::{ANYWHERE, miradore, outcome, plan_of, respond, run, set};
use crate::support::hostile::closed_port;

/// SQL Browser, which tells of these instances.
async fn browser(instances: &[(&str, u16)]) -> Open {
    let instances = instances.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
    let service = responder::sql_browser::Service { server: "SQL1".to_owned(), instances };
    respond(Service::SqlBrowser(service), ANYWHERE).await
}

/// Checks the instance `MIRADORE` with SQL Browser on this port.
async fn check(browser_port: u16, timeout: Span) -> Run {
    let sets = [
        set("sql-server.host", "127.0.0.1"),
        set("sql-server.instance", "MIRADORE"),
        set("sql-server.browser-port", browser_port),
    ];
    let mut profile = miradore(&sets);
    profile.settings.timeout = timeout;
    run(&plan_of(&profile, &["server"], &["sql-database", "sql-browser"])).await
}

#[tokio::test]
async fn the_port_that_sql_browser_tells_is_the_one_that_is_asked() {
    let service = responder::sql::Service { instance: "MIRADORE".to_owned(), ..Default::default() };
    let database = respond(Service::Sql(service), ANYWHERE).await;
    let port = database.address.port();
    let browser = browser(&[("OTHER", 1), ("MIRADORE", port)]).await;
    let run = check(browser.address.port(), Span::seconds(5)).await;
    let asked = outcome(&run, "sql-database");
    assert_eq!((asked.status, asked.port), (Status::Pass, Some(port)), "{}", asked.sentence);
    assert_eq!(asked.target, Some(format!("127.0.0.1:{port}")));
    assert_eq!(asked.facts.get(Fact::InstancePort.word()), Some(&port.into()));
    assert_eq!(run.status, Status::Pass);
}

#[tokio::test]
async fn an_instances_port_that_does_not_answer_is_the_one_to_open() {
    let port = closed_port().await;
    let browser = browser(&[("MIRADORE", port)]).await;
    let run = check(browser.address.port(), Span::seconds(5)).await;
    assert_eq!(outcome(&run, "sql-browser").status, Status::Pass);
    let blocked = outcome(&run, "sql-database");
    assert_eq!((blocked.status, blocked.code), (Status::Fail, Code::SqlInstancePortBlocked), "{}", blocked.sentence);
    let remedy = &blocked.remedy.as_ref().expect("a remedy").text;
    assert!(remedy.contains(&format!("Allow TCP {port} from server to sql-server")), "{remedy}");
}

#[tokio::test]
async fn while_sql_browser_is_silent_the_instance_is_not_asked() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let run = check(silent.local_addr().expect("bound").port(), Span::millis(300)).await;
    let browser = outcome(&run, "sql-browser");
    assert!(matches!(browser.status, Status::Fail | Status::Unknown), "{}", browser.sentence);
    let waiting = outcome(&run, "sql-database");
    assert_eq!((waiting.status, waiting.code), (Status::Skip, Code::PrerequisiteFailed));
    assert!(waiting.sentence.ends_with(&browser.sentence), "{}", waiting.sentence);
    assert!(waiting.steps.is_empty() && waiting.attempts == 0);
    assert_eq!(run.status, browser.status, "what was not asked is neither green nor red");
}

#[tokio::test]
async fn an_instance_that_sql_browser_does_not_know_is_not_asked_either() {
    let browser = browser(&[("OTHER", 1)]).await;
    let run = check(browser.address.port(), Span::seconds(5)).await;
    assert_eq!(outcome(&run, "sql-browser").code, Code::SqlInstanceUnknown);
    assert_eq!(outcome(&run, "sql-database").code, Code::PrerequisiteFailed);
    assert_eq!(run.findings.len(), 1);
}
