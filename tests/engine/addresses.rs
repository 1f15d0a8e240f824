//! Names with several addresses, names that are not there, and names that resolvers disagree about.

use std::net::{IpAddr, SocketAddr};

use bothways::model::code::Code;
use bothways::model::evidence::StepKind;
use bothways::model::fact::Fact;
use bothways::model::finding::{Status, Who};
use bothways::model::run::Run;
use bothways::net::resolve::{Resolver, SystemLookup};
use bothways::responder::{self, Service};

use super::{ANYWHERE, Nobody, miradore, outcome, plan_of, respond, run_with, set, written};
use crate::support::daemon::Daemon;
use crate::support::hostile::closed_port;
use crate::support::names;

/// dnsmasq, where `two.example.test` is 127.0.0.1 and 127.0.0.2.
fn dnsmasq() -> (Daemon, SocketAddr) {
    names::dnsmasq(["127.0.0.1", "127.0.0.2"].map(|ip| format!("--host-record=two.example.test,{ip}")))
}

/// Runs the client's flows to `host`, with the name servers deciding and the system giving these addresses.
async fn ask(host: &str, port: u16, server: SocketAddr, system: &'static [&'static str], only: &[&str]) -> Run {
    let system = SystemLookup::new(move |_| async move {
        let addresses = system.iter().map(|address| address.parse::<IpAddr>().expect("an address"));
        Ok(addresses.collect())
    });
    let resolver = Resolver::with_name_servers(vec![server]).with_system(system);
    let profile = miradore(&[set("server.host", host), set("server.port", port)]);
    let plan = plan_of(&profile, &["client"], only);
    run_with(&plan, resolver, std::sync::Arc::new(Nobody), std::future::pending()).await
}

const BOTH: &[&str] = &["127.0.0.1", "127.0.0.2"];

fn web() -> Service {
    Service::Http(responder::http::Service { https: false, control: None })
}

#[tokio::test]
async fn one_of_two_addresses_that_fails_is_named_in_a_warning() {
    let (_daemon, server) = dnsmasq();
    let open = respond(web(), ANYWHERE).await;
    let run = ask("two.example.test", open.address.port(), server, BOTH, &["job-query"]).await;
    let half = outcome(&run, "job-query");
    assert_eq!((half.status, half.code), (Status::Warn, Code::Refused), "{}", half.sentence);
    let told = "Works on 1 of 2 addresses, not on 127.0.0.2: ";
    assert!(half.sentence.starts_with(told), "{}", half.sentence);
    assert!(half.remedy.is_some());
    assert_eq!(half.facts[Fact::Address.word()], open.address.to_string(), "the facts are those of what works");
    assert_eq!(half.facts[Fact::Status.word()], 200);
    let connects: Vec<bool> =
        half.steps.iter().filter(|step| step.kind == StepKind::Connect).map(|step| step.error.is_none()).collect();
    assert_eq!(connects, [true, false], "the steps are everyone's");
}

#[tokio::test]
async fn two_addresses_that_work_are_both_asked() {
    let (_daemon, server) = dnsmasq();
    let first = respond(web(), ANYWHERE).await;
    let port = first.address.port();
    let _second = respond(web(), &format!("127.0.0.2:{port}")).await;
    let run = ask("two.example.test", port, server, BOTH, &["job-query"]).await;
    let both = outcome(&run, "job-query");
    assert_eq!(both.status, Status::Pass, "{}", both.sentence);
    let asked = |address: &str| {
        let address = format!("{address}:{port}");
        both.steps.iter().filter(|step| step.address.as_deref() == Some(&address)).count()
    };
    assert_eq!((asked("127.0.0.1"), asked("127.0.0.2")), (3, 3), "connect, request and reply of each");
}

#[tokio::test]
async fn two_addresses_that_both_fail_are_a_failure() {
    let (_daemon, server) = dnsmasq();
    let run = ask("two.example.test", closed_port().await, server, BOTH, &["job-query"]).await;
    let none = outcome(&run, "job-query");
    assert_eq!((none.status, none.code), (Status::Fail, Code::Refused));
    assert_eq!(none.attempts, 2, "a refusal may be chance");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_one_finding_for_all_that_need_it() {
    let (_daemon, server) = dnsmasq();
    let checks = ["job-query", "inventory", "wake-up-websocket"];
    let run = ask("missing.example.test", 80, server, BOTH, &checks).await;
    let [finding] = run.findings.as_slice() else { panic!("{:#?}", run.findings) };
    assert_eq!(finding.code, Code::NameNotFound);
    assert_eq!(finding.outcomes, checks);
    assert_eq!(finding.remedy.as_ref().map(|remedy| remedy.who), Some(Who::Names));
}

#[tokio::test]
async fn a_proxy_whose_name_does_not_exist_is_one_finding_for_all_behind_it() {
    let (_daemon, server) = dnsmasq();
    let profile = written(
        "extends: miradore\nendpoints:\n  \
           server: { host: one.example, proxy: 'http://proxy.example.test:3128' }\n  \
           second: { role: server, host: two.example, proxy: 'http://proxy.example.test:3128' }\n",
    );
    let run = run_with(
        &plan_of(&profile, &["client"], &["job-query", "inventory"]),
        Resolver::with_name_servers(vec![server]),
        std::sync::Arc::new(Nobody),
        std::future::pending(),
    )
    .await;
    let [finding] = run.findings.as_slice() else { panic!("{:#?}", run.findings) };
    assert_eq!(finding.outcomes, ["job-query", "inventory"]);
    assert!(finding.sentence.starts_with("The proxy's name proxy.example.test does not exist"), "{}", finding.sentence);
}

#[tokio::test]
async fn resolvers_that_disagree_are_a_warning_where_all_else_works() {
    let (_daemon, server) = dnsmasq();
    let first = respond(web(), ANYWHERE).await;
    let port = first.address.port();
    let _second = respond(web(), &format!("127.0.0.2:{port}")).await;
    let run = ask("two.example.test", port, server, &["192.0.2.7"], &["job-query"]).await;
    let works = outcome(&run, "job-query");
    assert_eq!((works.status, works.code), (Status::Warn, Code::NameDiffers), "{}", works.sentence);
    assert!(works.sentence.contains("192.0.2.7") && works.sentence.contains("127.0.0.2"), "{}", works.sentence);
}
