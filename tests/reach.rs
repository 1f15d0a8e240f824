//! Tests of what is said when a host and port can't be reached: in a small network with a real firewall, and of names.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bothways::diagnose::judge::{self, Case};
use bothways::model::ask::{Ask, Proxy, ProxyAuth, ProxyOrigin, Route};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::finding::{Confidence, Judgement, Status, Who};
use bothways::model::probe::{Probe, Tcp};
use bothways::net::trace::Trace;

use crate::support::namespaces::{CLIENT_V6, Network, Node, ROUTER, ROUTER_V6, SERVER, SERVER_V6};
use crate::support::{self, Seen, hostile};

const SHORT: Duration = Duration::from_millis(400);

fn ask(host: &str, port: u16) -> Ask {
    Ask { host: host.to_owned(), ..support::ask(Probe::Tcp(Tcp::default()), port) }
}

/// What the client sees of a port of `host` on the server's side.
fn seen_from_client(network: &Network, host: &str, port: u16, limit: Duration) -> Seen {
    let ask = ask(host, port);
    network.inside(Node::Client, || async move { support::run_within(&ask, &[], limit).await })
}

/// What the client sees of an open port behind a firewall rule.
fn behind(node: Node, hook: &str, rule: &str, limit: Duration) -> (Seen, String) {
    let network = Network::new();
    let listener = network.listen(Node::Server, SERVER);
    let port = listener.local_addr().expect("bound").port();
    network.rule(node, hook, rule);
    (seen_from_client(&network, SERVER, port, limit), format!("{SERVER}:{port}"))
}

#[track_caller]
fn assert_said(judgement: &Judgement, code: Code, words: &[&str]) {
    assert_eq!((judgement.status, judgement.code), (Status::Fail, code), "{judgement:?}");
    for word in words {
        assert!(judgement.sentence.contains(word), "`{word}` is not in: {}", judgement.sentence);
    }
    assert!(judgement.remedy.is_some(), "{judgement:?}");
}

#[test]
fn a_closed_port_is_refused_and_both_explanations_are_given() {
    let network = Network::new();
    let seen = seen_from_client(&network, SERVER, 7, SHORT);
    assert_said(&seen.judgement, Code::Refused, &["10.9.2.2:7 ", "nothing listens", "firewall"]);
}

#[test]
fn a_firewall_that_resets_looks_like_a_closed_port_and_is_said_to() {
    let (seen, target) = behind(Node::Router, "forward", "meta l4proto tcp reject with tcp reset", SHORT);
    assert_said(&seen.judgement, Code::Refused, &[&target, "firewall answers in the host's place"]);
}

#[test]
fn a_router_that_prohibits_is_named_with_its_code() {
    let rule = "meta l4proto tcp reject with icmp admin-prohibited";
    let (seen, target) = behind(Node::Router, "forward", rule, SHORT);
    assert_said(&seen.judgement, Code::Rejected, &[&target, ROUTER, "administratively prohibited", "code 13"]);
    assert_eq!(seen.judgement.confidence, Confidence::Proven);
    let remedy = seen.judgement.remedy.expect("a remedy");
    assert_eq!(remedy.who, Who::Network);
    assert!(remedy.text.starts_with("Allow TCP") && remedy.text.contains(ROUTER), "{remedy:?}");
}

#[test]
fn a_router_that_answers_for_a_port_is_refused_in_path() {
    let (seen, target) = behind(Node::Router, "forward", "meta l4proto tcp reject", SHORT);
    assert_said(&seen.judgement, Code::RefusedInPath, &[&target, ROUTER, "port unreachable"]);
}

#[test]
fn a_host_firewall_that_rejects_is_told_from_a_closed_port() {
    let (seen, target) = behind(Node::Server, "input", "meta l4proto tcp reject", SHORT);
    assert_said(&seen.judgement, Code::Rejected, &[&target, "firewall of the host itself"]);
    assert_eq!(seen.judgement.remedy.expect("a remedy").who, Who::TargetHost);
}

#[test]
fn a_host_that_prohibits_is_said_to_do_so_itself() {
    let rule = "meta l4proto tcp reject with icmp host-prohibited";
    let (seen, target) = behind(Node::Server, "input", rule, SHORT);
    assert_said(&seen.judgement, Code::Rejected, &[&target, "the host itself", "code 10"]);
}

#[test]
fn a_router_that_says_unreachable_is_quoted() {
    let rule = "meta l4proto tcp reject with icmp net-unreachable";
    let (seen, target) = behind(Node::Router, "forward", rule, SHORT);
    assert_said(&seen.judgement, Code::Unreachable, &[&target, ROUTER, "network unreachable"]);
}

#[test]
fn dropped_packets_are_dropped() {
    let (seen, target) = behind(Node::Router, "forward", "meta l4proto tcp drop", SHORT);
    assert_said(&seen.judgement, Code::Dropped, &[&target, "did not answer", "Windows"]);
}

#[test]
fn lost_answers_look_the_same_as_lost_questions() {
    let (seen, target) = behind(Node::Router, "forward", "ip saddr 10.9.2.2 drop", SHORT);
    assert_said(&seen.judgement, Code::Dropped, &[&target, "there or back"]);
    assert_eq!(seen.judgement.lost, None);
}

#[test]
fn an_ipv6_prohibition_is_the_routers_and_not_a_local_block() {
    let network = Network::new();
    let listener = network.listen(Node::Server, SERVER_V6);
    network.rule(Node::Router, "forward", "meta l4proto tcp reject with icmpv6 admin-prohibited");
    let port = listener.local_addr().expect("bound").port();
    let seen = seen_from_client(&network, SERVER_V6, port, Duration::from_secs(3));
    assert_said(&seen.judgement, Code::Rejected, &["[fd09:2::2]:", ROUTER_V6, "ICMPv6", "code 1)"]);
}

#[test]
fn packets_that_go_in_a_circle_are_said_to() {
    let network = Network::new();
    network.ip(Node::Router, "route add 10.9.3.0/24 via 10.9.2.2");
    network.inside(Node::Server, || async {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("root");
        std::fs::write("/proc/sys/net/ipv4/conf/all/send_redirects", "0").expect("root");
    });
    let seen = seen_from_client(&network, "10.9.3.3", 80, SHORT);
    assert_said(&seen.judgement, Code::Unreachable, &["10.9.3.3:80", "circle", "10.9."]);
}

#[test]
fn a_missing_route_is_this_machines() {
    let network = Network::new();
    network.ip(Node::Client, "route del default via 10.9.1.1");
    let seen = seen_from_client(&network, SERVER, 80, SHORT);
    assert_said(&seen.judgement, Code::Unreachable, &["10.9.2.2:80", "this machine has no route"]);
    assert_eq!(seen.judgement.remedy.expect("a remedy").who, Who::ThisHost);
}

#[test]
fn routes_that_forbid_are_told_from_routes_that_lead_nowhere() {
    let network = Network::new();
    network.ip(
        Node::Client,
        "route add prohibit 10.9.4.0/24\nroute add unreachable 10.9.5.0/24\nroute add blackhole 10.9.6.0/24",
    );
    for (host, code) in
        [("10.9.4.1", Code::LocalBlock), ("10.9.5.1", Code::Unreachable), ("10.9.6.1", Code::Unreachable)]
    {
        let seen = seen_from_client(&network, host, 80, SHORT);
        assert_said(&seen.judgement, code, &[host, "this machine"]);
        assert_eq!(seen.judgement.remedy.expect("a remedy").who, Who::ThisHost, "{host}");
    }
}

#[test]
fn a_firewall_of_this_machine_that_rejects_is_a_local_block() {
    for rule in ["meta l4proto tcp reject", "meta l4proto tcp reject with icmp admin-prohibited"] {
        let (seen, target) = behind(Node::Client, "output", rule, SHORT);
        assert_said(&seen.judgement, Code::LocalBlock, &[&target, "this machine"]);
        assert_eq!(seen.judgement.remedy.expect("a remedy").who, Who::ThisHost, "{rule}");
    }
}

#[test]
fn an_address_that_nobody_has_is_unreachable_at_the_last_link() {
    let network = Network::new();
    let seen = seen_from_client(&network, "10.9.1.77", 80, Duration::from_secs(6));
    assert_said(&seen.judgement, Code::Unreachable, &["10.9.1.77:80", "no host answers", "this machine"]);
}

#[test]
fn a_host_that_is_gone_behind_a_router_is_told_by_the_router() {
    let network = Network::new();
    let seen = seen_from_client(&network, "10.9.2.77", 80, Duration::from_secs(6));
    assert_said(&seen.judgement, Code::Unreachable, &["10.9.2.77:80", ROUTER, "host unreachable"]);
}

#[tokio::test]
async fn a_source_address_of_another_machine_is_the_profiles_error() {
    let mut ask = ask("127.0.0.1", hostile::closed_port().await);
    ask.source = Some(IpAddr::from([192, 0, 2, 1]));
    let seen = support::run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Error, Code::ToolError));
    assert!(seen.judgement.sentence.contains("192.0.2.1"), "{}", seen.judgement.sentence);
    assert_eq!(seen.judgement.remedy.expect("a remedy").who, Who::Profile);
}

#[test]
fn a_source_address_is_spoken_from() {
    let network = Network::new();
    let listener = network.listen(Node::Server, SERVER_V6);
    let mut ask = ask(SERVER_V6, listener.local_addr().expect("bound").port());
    ask.source = Some(CLIENT_V6.parse().expect("an address"));
    network.inside(Node::Client, || async move { support::run(&ask).await });
    let (_, from) = listener.accept().expect("a connection");
    assert_eq!(from.ip().to_string(), CLIENT_V6);
}

/// The judgement of a conversation that stopped in a step of this kind.
fn judged(ask: &Ask, address: Option<SocketAddr>, kind: StepKind, failure: Failure) -> Judgement {
    let trace = Trace::new(Instant::now());
    let _ = trace.begin(kind, None).fail(failure);
    let evidence = trace.finish(Failure::TimedOut);
    let flow = support::flow(ask);
    judge::judge(&Case { flow: &flow, ask, address, evidence: &evidence })
}

#[test]
fn every_failure_of_a_name_has_its_code_and_names_who_can_help() {
    for (failure, code) in [
        (Failure::NameNotFound, Code::NameNotFound),
        (Failure::NameNoAddress, Code::NameNoAddress),
        (Failure::NameServerSilent, Code::NameServerSilent),
        (Failure::TimedOut, Code::NameServerSilent),
        (Failure::NameServerFailed, Code::NameServerFailed),
    ] {
        let judgement = judged(&ask("miradore.example", 80), None, StepKind::Resolve, failure);
        assert_said(&judgement, code, &["miradore.example"]);
        assert_eq!(judgement.remedy.expect("a remedy").who, Who::Names);
    }
}

#[test]
fn a_short_name_is_explained_as_such() {
    let judgement = judged(&ask("miradore", 80), None, StepKind::Resolve, Failure::NameNotFound);
    assert_said(&judgement, Code::NameNotFound, &["short name", "DNS suffixes"]);
}

#[test]
fn the_proxys_name_is_said_to_be_the_proxys() {
    let mut ask = ask("miradore.example", 80);
    ask.route = Route::Proxy(Proxy {
        host: "proxy.example".to_owned(),
        port: 3128,
        auth: ProxyAuth::None,
        account: None,
        origin: ProxyOrigin::Profile,
    });
    let judgement = judged(&ask, None, StepKind::Resolve, Failure::NameNotFound);
    assert_said(&judgement, Code::NameNotFound, &["The proxy's name proxy.example"]);
}

#[test]
fn a_lack_of_free_ports_is_the_tools_own_trouble() {
    let judgement = judged(&ask("127.0.0.1", 80), None, StepKind::Connect, Failure::AddressInUse);
    assert_eq!((judgement.status, judgement.code), (Status::Error, Code::ToolError));
}
