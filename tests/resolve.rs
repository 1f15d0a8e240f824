//! Names to addresses: against dnsmasq, and against name servers that refuse, fail or stay silent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bothways::model::evidence::{Evidence, Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::net::resolve::{Resolver, SystemLookup};
use bothways::net::trace::Trace;

use crate::support::daemon::Daemon;
use crate::support::hostile::Hostile;
use crate::support::names;

/// dnsmasq with the names of these tests, below `example.test`.
fn dnsmasq() -> (Daemon, SocketAddr) {
    let fixed = [
        "--host-record=four.example.test,192.0.2.4",
        "--host-record=six.example.test,2001:db8::6",
        "--host-record=both.example.test,192.0.2.46,2001:db8::46",
        "--txt-record=text.example.test,hello",
        "--cname=alias.example.test,four.example.test",
    ];
    let many = (1..=40).map(|n| format!("--host-record=many.example.test,192.0.2.{n}"));
    names::dnsmasq(fixed.map(str::to_owned).into_iter().chain(many))
}

/// A system resolver that knows only this.
fn system(addresses: &'static [&'static str]) -> SystemLookup {
    SystemLookup::new(move |_| async move {
        let parsed: Vec<IpAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        if parsed.is_empty() { Err(io::Error::other("no such host is known")) } else { Ok(parsed) }
    })
}

/// A system resolver that never answers.
fn hanging_system() -> SystemLookup {
    SystemLookup::new(|_| std::future::pending())
}

struct Resolved {
    addresses: Option<Vec<String>>,
    evidence: Evidence,
}

async fn resolve(resolver: &Resolver, host: &str) -> Resolved {
    let trace = Trace::new(Instant::now());
    let result = resolver.resolve(host, &trace).await;
    let evidence = trace.finish(Failure::TimedOut);
    assert!(evidence.steps.iter().all(|step| step.kind == StepKind::Resolve && step.address.as_deref() == Some(host)));
    Resolved { addresses: result.ok().map(|found| found.iter().map(IpAddr::to_string).collect()), evidence }
}

impl Resolved {
    fn failure(&self) -> Option<Failure> {
        self.evidence.stopped_at().and_then(|step| step.error)
    }

    fn found(&self) -> Vec<&str> {
        self.addresses.iter().flatten().map(String::as_str).collect()
    }

    fn notes(&self) -> Vec<&str> {
        self.evidence.steps.iter().filter_map(|step| step.note.as_deref()).collect()
    }

    fn listed(&self, fact: Fact) -> Vec<&str> {
        let values = self.evidence.fact(fact).and_then(|value| value.as_array());
        values.into_iter().flatten().filter_map(|value| value.as_str()).collect()
    }
}

/// A name server that repeats every question with this response code.
async fn answering(code: u8) -> Hostile {
    Hostile::udp(move |question| {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer[3] = 0x80 | code;
        vec![answer]
    })
    .await
}

#[tokio::test]
async fn an_address_is_its_own_answer_and_takes_no_step() {
    let resolver = Resolver::default().with_system(hanging_system());
    for (host, address) in [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"), ("[::1]", "::1")] {
        let seen = resolve(&resolver, host).await;
        assert_eq!(seen.found(), [address]);
        assert!(seen.evidence.steps.is_empty());
    }
}

#[tokio::test]
async fn name_servers_of_the_profile_decide() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::with_name_servers(vec![server]).with_system(system(&[]));
    for (host, addresses) in [
        ("four.example.test", vec!["192.0.2.4"]),
        ("six.example.test", vec!["2001:db8::6"]),
        ("both.example.test", vec!["192.0.2.46", "2001:db8::46"]),
        ("alias.example.test", vec!["192.0.2.4"]),
        ("FOUR.example.test.", vec!["192.0.2.4"]),
    ] {
        let seen = resolve(&resolver, host).await;
        assert_eq!(seen.found(), addresses, "{host}");
        assert_eq!(seen.failure(), None, "the system does not decide");
        assert_eq!(seen.evidence.steps.len(), 2);
        assert!(
            seen.notes().iter().any(|note| note.starts_with(&format!("name server {server}: "))),
            "{:?}",
            seen.notes()
        );
    }
}

#[tokio::test]
async fn an_answer_too_large_for_udp_comes_by_tcp_and_is_cut_to_eight() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::with_name_servers(vec![server]).with_system(system(&[]));
    assert_eq!(resolve(&resolver, "many.example.test").await.found().len(), 8);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_found() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::with_name_servers(vec![server]).with_system(system(&[]));
    for host in ["missing.example.test", "not..a.name", "missing.example.test."] {
        assert_eq!(resolve(&resolver, host).await.failure(), Some(Failure::NameNotFound), "{host}");
    }
}

#[tokio::test]
async fn a_name_with_other_records_only_has_no_address() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::with_name_servers(vec![server]).with_system(system(&[]));
    assert_eq!(resolve(&resolver, "text.example.test").await.failure(), Some(Failure::NameNoAddress));
}

#[tokio::test]
async fn a_server_that_refuses_or_fails_has_failed() {
    let (_daemon, refusing) = dnsmasq();
    let resolver = Resolver::with_name_servers(vec![refusing]).with_system(system(&[]));
    assert_eq!(resolve(&resolver, "elsewhere.example").await.failure(), Some(Failure::NameServerFailed));
    let broken = answering(2).await;
    let resolver = Resolver::with_name_servers(vec![broken.address]).with_system(system(&[]));
    assert_eq!(resolve(&resolver, "four.example.test").await.failure(), Some(Failure::NameServerFailed));
}

#[tokio::test]
async fn a_server_that_fails_or_is_silent_does_not_matter_where_another_answers() {
    let (_daemon, good) = dnsmasq();
    let (broken, silent) = (answering(2).await, Hostile::udp(|_| Vec::new()).await);
    let servers = vec![silent.address, broken.address, good];
    let resolver = Resolver::with_name_servers(servers).with_system(system(&[]));
    assert_eq!(resolve(&resolver, "four.example.test").await.found(), ["192.0.2.4"]);
    assert_eq!(resolve(&resolver, "missing.example.test").await.failure(), Some(Failure::NameNotFound));
}

#[tokio::test]
async fn silent_servers_are_told_from_a_missing_name_even_when_the_system_hangs() {
    let silent = Hostile::udp(|_| Vec::new()).await;
    let resolver = Resolver::comparing_with(vec![silent.address]).with_system(hanging_system());
    assert_eq!(resolve(&resolver, "four.example.test").await.failure(), Some(Failure::NameServerSilent));
}

#[tokio::test]
async fn the_system_decides_and_a_disagreement_is_shown() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::comparing_with(vec![server]).with_system(system(&["198.51.100.1", "198.51.100.1"]));
    let seen = resolve(&resolver, "both.example.test").await;
    assert_eq!(seen.found(), ["198.51.100.1"]);
    assert_eq!(seen.failure(), None);
    assert_eq!(seen.listed(Fact::SystemAddresses), ["198.51.100.1"]);
    assert_eq!(seen.listed(Fact::DnsAddresses), ["192.0.2.46", "2001:db8::46"]);
}

#[tokio::test]
async fn an_address_in_common_is_no_disagreement() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::comparing_with(vec![server]).with_system(system(&["192.0.2.46"]));
    let seen = resolve(&resolver, "both.example.test").await;
    assert_eq!(seen.found(), ["192.0.2.46"]);
    assert!(seen.evidence.facts.is_empty(), "{:?}", seen.evidence.facts);
}

#[tokio::test]
async fn a_name_that_only_the_system_knows_works_and_the_servers_reason_is_shown() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::comparing_with(vec![server]).with_system(system(&["198.51.100.1"]));
    let seen = resolve(&resolver, "missing.example.test").await;
    assert_eq!((seen.found(), seen.failure()), (vec!["198.51.100.1"], None));
    assert!(seen.evidence.text(Fact::DnsFailure).is_some_and(|text| text.contains("no such name")));
}

#[tokio::test]
async fn a_name_that_only_the_servers_know_fails_as_it_does_for_the_product() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::comparing_with(vec![server]).with_system(system(&[]));
    let seen = resolve(&resolver, "four.example.test").await;
    assert_eq!(seen.failure(), Some(Failure::NameNotFound));
    assert_eq!(seen.listed(Fact::DnsAddresses), ["192.0.2.4"]);
    assert_eq!(seen.evidence.text(Fact::Detail), Some("no such host is known"));
}

#[tokio::test]
async fn the_servers_say_why_the_system_has_no_address() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::comparing_with(vec![server]).with_system(system(&[]));
    for (host, failure) in [
        ("missing.example.test", Failure::NameNotFound),
        ("text.example.test", Failure::NameNoAddress),
        ("elsewhere.example", Failure::NameServerFailed),
    ] {
        assert_eq!(resolve(&resolver, host).await.failure(), Some(failure), "{host}");
    }
}

#[tokio::test]
async fn silent_servers_do_not_keep_back_the_systems_answer() {
    let silent = Hostile::udp(|_| Vec::new()).await;
    let resolver = Resolver::comparing_with(vec![silent.address]).with_system(system(&["198.51.100.1"]));
    let trace = Trace::new(Instant::now());
    let limit = Duration::from_millis(2500);
    let found = tokio::time::timeout(limit, resolver.resolve("four.example.test", &trace)).await;
    assert!(matches!(found, Ok(Ok(_))), "the servers are given three seconds and more, the answer is not");
    let evidence = trace.finish(Failure::TimedOut);
    assert_eq!(evidence.stopped_at(), None, "a way that does not decide never fails");
    assert_eq!(evidence.text(Fact::DnsFailure), Some("no answer in time"));
}

#[tokio::test]
async fn a_lookup_that_hangs_leaves_its_steps_open_for_the_deadline() {
    let (_daemon, server) = dnsmasq();
    let resolver = Resolver::comparing_with(vec![server]).with_system(hanging_system());
    let trace = Trace::new(Instant::now());
    let limit = Duration::from_millis(300);
    let cut = tokio::time::timeout(limit, resolver.resolve("four.example.test", &trace)).await;
    assert!(cut.is_err());
    let evidence = trace.finish(Failure::TimedOut);
    let errors: Vec<_> = evidence.steps.iter().map(|step| step.error).collect();
    assert_eq!(errors, [Some(Failure::TimedOut), None], "the system hung, the name servers answered");
}

#[tokio::test]
async fn a_name_is_asked_for_once_however_many_need_it_and_every_trace_has_the_steps() {
    let (_daemon, server) = dnsmasq();
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = SystemLookup::new({
        let asked = Arc::clone(&asked);
        move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            async { Ok(vec![IpAddr::from([192, 0, 2, 4])]) }
        }
    });
    let resolver = Arc::new(Resolver::comparing_with(vec![server]).with_system(counting));
    let all = (0..10).map(|n| {
        let resolver = Arc::clone(&resolver);
        let host = if n % 2 == 0 { "four.example.test" } else { "Four.Example.Test" };
        tokio::spawn(async move { resolve(&resolver, host).await })
    });
    for one in all.collect::<Vec<_>>() {
        let seen = one.await.expect("it ends");
        assert_eq!(seen.found(), ["192.0.2.4"]);
        assert_eq!(seen.notes().len(), 2);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_lookup_goes_on_when_the_first_to_ask_gives_up() {
    let (_daemon, server) = dnsmasq();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let held = std::sync::Mutex::new(Some(released));
    let slow = SystemLookup::new(move |_| {
        let released = held.lock().expect("unpoisoned").take().expect("asked once");
        async move {
            let _ = released.await;
            Ok(vec![IpAddr::from([192, 0, 2, 4])])
        }
    });
    let resolver = Resolver::comparing_with(vec![server]).with_system(slow);
    let trace = Trace::new(Instant::now());
    let limit = Duration::from_millis(50);
    assert!(tokio::time::timeout(limit, resolver.resolve("four.example.test", &trace)).await.is_err());
    release.send(()).expect("still asked");
    assert_eq!(resolve(&resolver, "four.example.test").await.found(), ["192.0.2.4"]);
}

#[tokio::test]
async fn the_operating_system_knows_localhost() {
    let (_daemon, server) = dnsmasq();
    let seen = resolve(&Resolver::comparing_with(vec![server]), "localhost").await;
    assert!(seen.found().contains(&"127.0.0.1"), "{:?}", seen.found());
}

#[tokio::test]
async fn a_refusal_that_does_not_repeat_the_question_is_one() {
    let refusing = Hostile::udp(|question| vec![[&question[..2], &[0x81, 0x05], &[0; 8]].concat()]).await;
    let resolver = Resolver::comparing_with(vec![refusing.address]).with_system(system(&[]));
    let seen = resolve(&resolver, "four.example.test").await;
    assert_eq!(seen.failure(), Some(Failure::NameServerFailed));
    assert!(seen.evidence.text(Fact::DnsFailure).is_some_and(|text| text.contains("Refused")), "{:?}", seen.notes());
}

#[tokio::test]
async fn a_refusal_is_told_beside_a_silent_server_even_when_the_system_hangs() {
    let (refusing, silent) = (answering(5).await, Hostile::udp(|_| Vec::new()).await);
    let servers = vec![silent.address, refusing.address];
    let resolver = Resolver::comparing_with(servers).with_system(hanging_system());
    let seen = resolve(&resolver, "four.example.test").await;
    assert_eq!(seen.failure(), Some(Failure::NameServerFailed));
    assert_eq!(seen.listed(Fact::NameServers).len(), 2, "what each of them says");
}

/// A name server that gives this address for every name of the kind A, the last byte by the number of such questions before.
async fn giving(last: impl Fn(usize) -> u8 + Send + Sync + 'static) -> Hostile {
    let asked = AtomicUsize::new(0);
    Hostile::udp(move |question| {
        let mut answer = question.to_vec();
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        // The type is before the class, which ends the question; nothing follows it here.
        if question[question.len() - 3] == 1 {
            answer[7] = 1;
            let last = last(asked.fetch_add(1, Ordering::Relaxed));
            answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\xc6\x33\x64");
            answer.push(last);
        }
        vec![answer]
    })
    .await
}

#[tokio::test]
async fn addresses_that_are_handed_out_in_turn_are_no_disagreement_and_all_tried() {
    let server = giving(|asked| if asked % 2 == 0 { 2 } else { 1 }).await;
    let resolver = Resolver::comparing_with(vec![server.address]).with_system(system(&["198.51.100.1"]));
    let seen = resolve(&resolver, "turns.example.test").await;
    assert_eq!(seen.found(), ["198.51.100.1", "198.51.100.2"]);
    assert_eq!(seen.evidence.fact(Fact::DnsAddresses), None);
}

#[tokio::test]
async fn an_address_that_is_given_to_any_name_is_known_as_such() {
    let (portal, server) = (giving(|_| 7).await, dnsmasq());
    for (address, given) in [(portal.address, vec!["198.51.100.7"]), (server.1, Vec::new())] {
        let resolver = Resolver::with_name_servers(vec![address]).with_system(system(&[]));
        let seen = resolve(&resolver, "four.example.test").await;
        assert_eq!(seen.listed(Fact::GivenToAnyName), given);
    }
}
