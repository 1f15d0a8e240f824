//! Runs that end early keep what they know, and runs of many silent flows end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bothways::engine::observer::Observer;
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::finding::Status;
use bothways::model::run::{CutShort, Run};
use bothways::model::span::Span;
use bothways::net::resolve::Resolver;
use bothways::plan::Plan;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{FOREVER, Nobody, greeter, miradore, outcome, plan_of, run, run_with, set, written};
use crate::support::hostile::{Hostile, Manner};

/// A TLS peer that takes the hello and says nothing; and the news that it has taken one.
async fn mute() -> (u16, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let heard = Arc::new(Notify::new());
    let news = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            news.notify_one();
            held.push(stream);
        }
    });
    (port, heard)
}

/// Tells when a check has ended.
struct Waiting {
    check: &'static str,
    ended: Arc<Notify>,
}

impl Observer for Waiting {
    fn begun(&self, _: &str, _: &str) {}
    fn ended(&self, check: &str, _: &str, _: Status) {
        if check == self.check {
            self.ended.notify_one();
        }
    }
}

/// One flow that works, one that hangs in TLS for as long as it may.
fn half_hanging(mute: u16, greeter: u16, deadline: Span) -> Plan {
    let sets = [
        set("server.host", "127.0.0.1"),
        set("server.https", true),
        set("server.port", mute),
        set("client.host", "127.0.0.1"),
        set("client.port", greeter),
    ];
    let mut profile = miradore(&sets);
    profile.settings.timeout = Span(FOREVER);
    profile.settings.deadline = deadline;
    plan_of(&profile, &["client", "server"], &["job-query", "wake-up-tcp"])
}

fn assert_half_told(run: &Run, cut: CutShort) {
    assert_eq!(run.run.cut_short, Some(cut));
    let kept = outcome(run, "wake-up-tcp");
    assert_eq!((kept.status, kept.code), (Status::Pass, Code::Ok), "{}", kept.sentence);
    let hung = outcome(run, "job-query");
    assert_eq!((hung.status, hung.code), (Status::Unknown, Code::TimedOut), "{}", hung.sentence);
    assert!(hung.sentence.contains("in the TLS handshake"), "{}", hung.sentence);
    let last = hung.steps.last().expect("steps");
    assert_eq!((last.kind, last.error), (StepKind::Tls, Some(Failure::Interrupted)));
    assert_eq!((run.status, hung.attempts), (Status::Unknown, 1));
}

#[tokio::test]
async fn a_run_that_is_stopped_keeps_what_it_knows_and_says_where_the_rest_hung() {
    let ((mute, heard), greeter) = (mute().await, greeter().await);
    let plan = half_hanging(mute, greeter.address.port(), Span(FOREVER));
    let ended = Arc::new(Notify::new());
    let observer = Waiting { check: "wake-up-tcp", ended: Arc::clone(&ended) };
    let stop = async {
        ended.notified().await;
        heard.notified().await;
    };
    let run = run_with(&plan, Resolver::default(), Arc::new(observer), stop).await;
    assert_half_told(&run, CutShort::Interrupted);
}

#[tokio::test]
async fn a_run_that_reaches_its_deadline_does_the_same() {
    let ((mute, _), greeter) = (mute().await, greeter().await);
    let run = run(&half_hanging(mute, greeter.address.port(), Span::millis(1500))).await;
    assert_half_told(&run, CutShort::Deadline);
}

#[tokio::test]
async fn a_run_stopped_at_once_tells_of_every_flow() {
    let (mute, _) = mute().await;
    let plan = half_hanging(mute, mute, Span(FOREVER));
    let run = run_with(&plan, Resolver::default(), Arc::new(Nobody), std::future::ready(())).await;
    assert_eq!(run.run.cut_short, Some(CutShort::Interrupted));
    assert_eq!(run.outcomes.len(), 2);
    for outcome in &run.outcomes {
        assert_eq!((outcome.status, outcome.code), (Status::Unknown, Code::TimedOut), "{}", outcome.sentence);
        assert_eq!(outcome.steps.last().and_then(|step| step.error), Some(Failure::Interrupted));
    }
}

#[tokio::test]
async fn whoever_waits_for_a_port_ends_with_the_run_as_well() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let sets = [
        set("sql-server.host", "127.0.0.1"),
        set("sql-server.instance", "MIRADORE"),
        set("sql-server.browser-port", silent.local_addr().expect("bound").port()),
    ];
    let plan = plan_of(&miradore(&sets), &["server"], &["sql-database", "sql-browser"]);
    let stop = async { silent.readable().await.expect("a question") };
    let run = run_with(&plan, Resolver::default(), Arc::new(Nobody), stop).await;
    assert_eq!(outcome(&run, "sql-browser").code, Code::TimedOut);
    assert_eq!(outcome(&run, "sql-database").code, Code::PrerequisiteFailed);
}

/// Counts what begins and what ends.
#[derive(Default)]
struct Counting {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Observer for Counting {
    fn begun(&self, _: &str, _: &str) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }
    fn ended(&self, _: &str, _: &str, _: Status) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn forty_silent_flows_all_end_and_stand_in_the_plans_order() {
    let silent = Hostile::tcp(Manner::Silent).await;
    let at = format!("host: 127.0.0.1, https: false, port: {0}, agent-port: {0}", silent.address.port());
    let more: Vec<String> =
        (2..=20).map(|number| format!("  collector-{number}: {{ role: collector, {at} }}\n")).collect();
    let profile = written(&format!(
        "extends: example-other-product\nendpoints:\n  collector: {{ {at} }}\n{}settings: {{ timeout: 300ms }}\n",
        more.concat()
    ));
    let plan = plan_of(&profile, &["agent"], &[]);
    assert_eq!(plan.probes.len(), 40);
    let watching = Arc::new(Counting::default());
    let run = run_with(&plan, Resolver::default(), Arc::<Counting>::clone(&watching), std::future::pending()).await;
    assert_eq!((watching.begun.load(Ordering::SeqCst), watching.ended.load(Ordering::SeqCst)), (40, 40));
    let told: Vec<_> = run.outcomes.iter().map(|outcome| (&outcome.check, &outcome.endpoint)).collect();
    let planned: Vec<_> = plan.probes.iter().map(|probe| (&probe.flow.check, &probe.flow.endpoint)).collect();
    assert_eq!(told, planned);
    for outcome in &run.outcomes {
        assert_ne!(outcome.status, Status::Pass, "{}", outcome.sentence);
        assert_ne!(outcome.status, Status::Error, "{}", outcome.sentence);
    }
    assert_eq!(run.run.cut_short, None);
}
