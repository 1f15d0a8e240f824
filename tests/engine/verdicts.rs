//! What outcomes come to: tasks with fallbacks, and one finding for one cause.

use bothways::diagnose::judge::{Case, judge};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::finding::Status;
use bothways::model::probe::{Probe, SqlBrowser, Tftp};
use bothways::model::run::Run;
use bothways::model::span::Span;
use bothways::net::trace::Trace;

use super::{greeter, miradore, outcome, plan_behind, plan_of, run, set, task, web, written};
use crate::support::hostile::closed_port;
use crate::support::{ask, flow};

/// The wake-up both ways, with the server and the client on these ports.
async fn wake_up(server: u16, client: u16) -> Run {
    let sets = [
        set("server.host", "127.0.0.1"),
        set("server.port", server),
        set("client.host", "127.0.0.1"),
        set("client.port", client),
    ];
    let checks = ["wake-up-websocket", "wake-up-tcp"];
    run(&plan_of(&miradore(&sets), &["client", "server"], &checks)).await
}

#[tokio::test]
async fn a_fallback_that_works_serves_with_a_warning() {
    let client = greeter().await;
    let run = wake_up(closed_port().await, client.address.port()).await;
    let task = task(&run, "wake-up");
    assert_eq!((task.status, task.code), (Status::Warn, Some(Code::FallbackInUse)), "{}", task.sentence);
    assert_eq!(task.served_by.as_deref(), Some("wake-up-tcp"));
    assert_eq!(run.status, Status::Fail, "the first choice does fail");
}

#[tokio::test]
async fn a_first_choice_without_its_fallback_serves_with_a_warning() {
    let server = web().await;
    let run = wake_up(server.address.port(), closed_port().await).await;
    let task = task(&run, "wake-up");
    assert_eq!((task.status, task.code), (Status::Warn, Some(Code::Refused)), "{}", task.sentence);
    assert_eq!(task.served_by.as_deref(), Some("wake-up-websocket"));
}

#[tokio::test]
async fn a_task_that_nothing_serves_fails_and_one_that_all_serve_passes() {
    let nothing = wake_up(closed_port().await, closed_port().await).await;
    assert_eq!((task(&nothing, "wake-up").status, &task(&nothing, "wake-up").served_by), (Status::Fail, &None));
    let (server, client) = (web().await, greeter().await);
    let all = wake_up(server.address.port(), client.address.port()).await;
    assert_eq!(task(&all, "wake-up").status, Status::Pass);
    assert_eq!((all.status, all.findings.len()), (Status::Pass, 0));
}

const WEB: [&str; 3] = ["job-query", "inventory", "wake-up-websocket"];

#[tokio::test]
async fn checks_behind_one_refused_port_are_one_finding() {
    let sets = [set("server.host", "127.0.0.1"), set("server.port", closed_port().await)];
    let run = run(&plan_of(&miradore(&sets), &["client"], &WEB)).await;
    assert_eq!(run.outcomes.len(), 3);
    let [finding] = run.findings.as_slice() else { panic!("{:#?}", run.findings) };
    assert_eq!((finding.code, finding.outcomes.as_slice()), (Code::Refused, WEB.map(str::to_owned).as_slice()));
}

#[tokio::test]
async fn a_proxy_that_is_down_is_one_finding_for_all_behind_it() {
    let profile = written(&format!(
        "extends: miradore\nendpoints:\n  \
           server: {{ host: one.example, https: true, proxy: 'http://127.0.0.1:{0}' }}\n  \
           second: {{ role: server, host: two.example, proxy: 'http://127.0.0.1:{0}' }}\n",
        closed_port().await
    ));
    let run = run(&plan_of(&profile, &["client"], &WEB)).await;
    assert_eq!(run.outcomes.len(), 6);
    let [finding] = run.findings.as_slice() else { panic!("{:#?}", run.findings) };
    assert_eq!(
        (finding.code, finding.outcomes.as_slice()),
        (Code::ProxyUnreachable, WEB.map(str::to_owned).as_slice())
    );
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_said_to_be_from_there() {
    let port = closed_port().await;
    let proxy = format!("http://127.0.0.1:{port}");
    let mut profile = miradore(&[set("server.host", "one.example"), set("server.proxy", "system")]);
    profile.settings.timeout = Span::seconds(2);
    let run = run(&plan_behind(&profile, &["client"], &["job-query"], &[("HTTP_PROXY", &proxy)])).await;
    let down = outcome(&run, "job-query");
    assert_eq!((down.status, down.code), (Status::Fail, Code::ProxyUnreachable), "{}", down.sentence);
    let remedy = &down.remedy.as_ref().expect("a remedy").text;
    assert!(remedy.contains("HTTP_PROXY"), "{remedy}");
}

#[tokio::test]
async fn different_causes_are_different_findings_and_the_heaviest_comes_first() {
    let server = web().await;
    let port = closed_port().await;
    let sets = [
        set("server.host", "127.0.0.1"),
        set("server.port", server.address.port()),
        set("client.host", "127.0.0.1"),
        set("client.port", port),
        set("installation-point.host", "127.0.0.1"),
        set("installation-point.port", server.address.port()),
    ];
    let checks = ["job-query", "wake-up-tcp", "installation-share"];
    let run = run(&plan_of(&miradore(&sets), &["client", "server"], &checks)).await;
    let mut codes: Vec<Code> = run.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [Code::Refused, Code::WrongService], "{:#?}", run.findings);
    assert_eq!(outcome(&run, "job-query").status, Status::Pass);
}

#[test]
fn a_question_that_this_machine_did_not_get_to_send_decides_nothing() {
    for probe in [Probe::Tftp(Tftp::default()), Probe::SqlBrowser(SqlBrowser::default())] {
        let ask = ask(probe, 69);
        let trace = Trace::new(std::time::Instant::now());
        let _cut = trace.begin(StepKind::Request, None);
        let evidence = trace.finish(Failure::TimedOut);
        let judged = judge(&Case { flow: &flow(&ask), ask: &ask, address: None, evidence: &evidence });
        assert_eq!((judged.status, judged.code), (Status::Unknown, Code::TimedOut), "{}", judged.sentence);
    }
}
