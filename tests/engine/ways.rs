//! Where on the way packets are lost, and who answers in a host's place: in networks with one and two routers, with real
//! firewalls, in IPv4 and IPv6.

use bothways::model::code::Code;
use bothways::model::finding::{Confidence, Lost, Who};
use bothways::model::run::Outcome;
use bothways::model::span::Span;

use super::{miradore, outcome, plan_of, run};
use crate::support::namespaces::{INNER, INNER_V6, Network, Node, ROUTER, ROUTER_V6, SERVER, SERVER_V6};

/// The port of `wake-up-tcp`.
const PORT: u16 = 32227;
const SECONDS: u64 = 5;

/// What the client is told of one check whose far end is `host`.
fn told_of(network: &Network, check: &str, host: &str, seconds: u64) -> Outcome {
    let (side, key) = match check {
        "wake-up-tcp" => ("server", "client"),
        "network-boot" => ("client", "boot-server"),
        _ => ("client", "server"),
    };
    let mut profile = miradore(&[format!("{key}.host={host}")]);
    profile.settings.timeout = Span::seconds(seconds);
    let plan = plan_of(&profile, &[side], &[check]);
    let record = network.inside(Node::Client, || async move { run(&plan).await });
    outcome(&record, check).clone()
}

/// What is told of the wake-up port in IPv4 and IPv6.
fn told(network: &Network) -> [Outcome; 2] {
    std::thread::scope(|scope| {
        [SERVER, SERVER_V6]
            .map(|host| scope.spawn(move || told_of(network, "wake-up-tcp", host, SECONDS)))
            .map(|thread| thread.join().expect("an outcome"))
    })
}

#[track_caller]
fn assert_told(outcomes: &[Outcome; 2], code: Code, lost: Option<Lost>, hops: Option<[&str; 2]>) {
    for (index, outcome) in outcomes.iter().enumerate() {
        let hop = outcome.path.last_hop.map(|hop| hop.address.to_string());
        let wanted = hops.map(|hops| hops[index].to_owned());
        assert_eq!((outcome.code, outcome.lost, hop), (code, lost, wanted), "{outcome:#?}");
    }
}

fn two_routers_with(node: Node, hook: &str, rule: &str) -> [Outcome; 2] {
    let network = Network::with_two_routers();
    network.rule(node, hook, &format!("tcp dport {PORT} {rule}"));
    told(&network)
}

const FIRST: Option<[&str; 2]> = Some([ROUTER, ROUTER_V6]);
const SECOND: Option<[&str; 2]> = Some([INNER, INNER_V6]);

#[test]
fn a_drop_on_the_first_of_two_routers_loses_the_request_after_it() {
    let outcomes = two_routers_with(Node::Router, "forward", "drop");
    assert_told(&outcomes, Code::Dropped, Some(Lost::Request), FIRST);
    assert!(outcomes[0].sentence.contains("after hop 1 (10.9.1.1)"), "{}", outcomes[0].sentence);
    let remedy = outcomes[0].remedy.clone().expect("a remedy");
    assert_eq!(remedy.who, Who::Network);
    for part in ["Source 10.9.1.2", "destination 10.9.2.2", "TCP 32227", "missing on 10.9.1.1"] {
        assert!(remedy.text.contains(part), "`{part}` is not in: {}", remedy.text);
    }
}

#[test]
fn a_drop_on_the_last_router_or_at_the_host_is_not_pinned_on_either() {
    for (node, hook) in [(Node::Inner, "forward"), (Node::Server, "input")] {
        let outcomes = two_routers_with(node, hook, "drop");
        assert_told(&outcomes, Code::Dropped, None, SECOND);
        for part in ["as far as hop 2 (10.9.3.2)", "host's own firewall", "way back"] {
            assert!(outcomes[0].sentence.contains(part), "{}", outcomes[0].sentence);
        }
    }
}

#[test]
fn a_router_that_drops_before_it_counts_is_not_the_last_that_answers() {
    let network = Network::with_two_routers();
    network.early_rule(Node::Inner, &format!("tcp dport {PORT} drop"));
    assert_told(&told(&network), Code::Dropped, Some(Lost::Request), FIRST);
}

#[test]
fn a_first_router_that_drops_before_it_counts_is_told_from_this_machines_own_firewall() {
    let network = Network::with_two_routers();
    network.early_rule(Node::Router, &format!("tcp dport {PORT} drop"));
    let outcomes = told(&network);
    assert_told(&outcomes, Code::Dropped, Some(Lost::Request), None);
    assert!(outcomes[0].sentence.contains("They do leave this machine"), "{}", outcomes[0].sentence);
}

#[test]
fn requests_that_this_machines_own_firewall_drops_are_a_local_block() {
    let outcomes = two_routers_with(Node::Client, "output", "drop");
    assert_told(&outcomes, Code::LocalBlock, Some(Lost::Request), None);
    assert_eq!(outcomes[0].remedy.clone().expect("a remedy").who, Who::ThisHost);
}

#[test]
fn lost_answers_accuse_no_device() {
    let network = Network::with_two_routers();
    let listener = [SERVER, SERVER_V6].map(|host| network.listen_on(Node::Server, host, PORT));
    network.rule(Node::Router, "forward", &format!("tcp sport {PORT} drop"));
    let outcomes = told(&network);
    assert_told(&outcomes, Code::Dropped, None, SECOND);
    assert!(outcomes[0].sentence.contains("answers are dropped on the way back"), "{}", outcomes[0].sentence);
    drop(listener);
}

#[test]
fn resets_of_routers_are_told_from_those_of_the_host() {
    for (node, hop) in [(Node::Router, FIRST), (Node::Inner, SECOND)] {
        let outcomes = two_routers_with(node, "forward", "reject with tcp reset");
        assert_told(&outcomes, Code::RefusedInPath, Some(Lost::Request), hop);
        let device = hop.expect("a hop")[0];
        assert!(outcomes[0].sentence.contains(device), "{}", outcomes[0].sentence);
    }
    let outcomes = two_routers_with(Node::Server, "input", "reject with tcp reset");
    assert_told(&outcomes, Code::Refused, None, None);
    assert!(outcomes[0].sentence.contains("as far away as the host"), "{}", outcomes[0].sentence);
}

#[test]
fn a_reset_that_a_router_sends_before_it_counts_is_proven() {
    let network = Network::with_two_routers();
    network.early_rule(Node::Inner, &format!("tcp dport {PORT} reject with tcp reset"));
    let outcomes = told(&network);
    assert_told(&outcomes, Code::RefusedInPath, Some(Lost::Request), SECOND);
    assert_eq!(outcomes[0].confidence, Confidence::Proven);
}

#[test]
fn a_reset_of_the_only_router_is_told_even_where_the_host_answers_nothing_else() {
    let network = Network::new();
    network.rule(Node::Router, "forward", "meta l4proto udp drop\n meta l4proto tcp reject with tcp reset");
    assert_told(&told(&network), Code::RefusedInPath, Some(Lost::Request), FIRST);
}

#[test]
fn a_closed_port_behind_routers_is_refused_by_the_host() {
    assert_told(&told(&Network::new()), Code::Refused, None, None);
}

#[test]
fn a_closed_port_behind_a_gateways_port_forwarding_accuses_nobody() {
    let network = Network::with_two_routers();
    network.nat(Node::Inner, &format!("ip daddr {INNER} tcp dport {PORT} dnat to {SERVER}"));
    let outcome = told_of(&network, "wake-up-tcp", INNER, SECONDS);
    assert_eq!(outcome.code, Code::Refused, "{outcome:#?}");
}

#[test]
fn a_device_that_accepts_in_the_hosts_place_is_named() {
    let network = Network::with_two_routers();
    network.nat(Node::Inner, &format!("tcp dport {PORT} redirect to :9"));
    let listener = network.listen_on(Node::Inner, "::", 9);
    let outcomes = told(&network);
    assert_told(&outcomes, Code::AcceptedInPath, None, SECOND);
    drop(listener);
}

#[test]
fn an_open_port_of_the_host_is_accepted_by_the_host() {
    let network = Network::with_two_routers();
    let listeners = [SERVER, SERVER_V6].map(|host| network.listen_on(Node::Server, host, PORT));
    for outcome in told(&network) {
        assert_eq!(outcome.code, Code::Ok, "{outcome:#?}");
    }
    drop(listeners);
}

#[test]
fn words_of_the_way_are_a_firewalls_where_other_packets_pass() {
    let network = Network::with_two_routers();
    network.rule(
        Node::Inner,
        "forward",
        &format!("ip daddr {SERVER} tcp dport {PORT} reject with icmp net-unreachable\n ip6 daddr {SERVER_V6} tcp dport {PORT} reject with icmpv6 no-route"),
    );
    for outcome in told(&network) {
        assert_eq!(outcome.code, Code::Rejected, "{outcome:#?}");
        assert!(outcome.sentence.contains("a firewall's word"), "{}", outcome.sentence);
    }
}

#[test]
fn a_missing_route_of_a_router_is_no_firewalls_word() {
    let network = Network::with_two_routers();
    network.ip(Node::Router, "route del 10.9.2.0/24\nroute del fd09:2::/64");
    for outcome in told(&network) {
        assert_eq!(outcome.code, Code::Unreachable, "{outcome:#?}");
    }
}

#[test]
fn datagrams_that_a_router_drops_are_dropped_where_other_packets_show_it() {
    let network = Network::with_two_routers();
    network.rule(Node::Router, "forward", "udp dport 69 drop");
    for host in [SERVER, SERVER_V6] {
        let outcome = told_of(&network, "network-boot", host, SECONDS);
        assert_eq!((outcome.code, outcome.lost), (Code::Dropped, Some(Lost::Request)), "{outcome:#?}");
        assert_eq!(outcome.path.last_hop.map(|hop| hop.ttl), Some(1));
    }
}

#[test]
fn datagrams_that_the_host_itself_drops_stay_undecided() {
    let network = Network::with_two_routers();
    network.rule(Node::Server, "input", "udp dport 69 drop");
    let outcome = told_of(&network, "network-boot", SERVER, SECONDS);
    assert_eq!((outcome.code, outcome.lost), (Code::NoAnswer, None), "{outcome:#?}");
    assert_eq!(outcome.path.last_hop.map(|hop| hop.ttl), Some(2));
}

#[test]
fn a_silent_router_in_between_does_not_end_the_way() {
    let network = Network::with_two_routers();
    network.rule(Node::Router, "output", "icmp type time-exceeded drop\n icmpv6 type time-exceeded drop");
    network.rule(Node::Server, "input", &format!("tcp dport {PORT} drop"));
    assert_told(&told(&network), Code::Dropped, None, SECOND);
}

#[test]
fn a_host_of_this_network_that_drops_is_said_to_have_no_router_before_it() {
    let network = Network::new();
    network.rule(Node::Router, "input", "tcp dport 32227 drop");
    let outcome = told_of(&network, "wake-up-tcp", ROUTER, SECONDS);
    assert_eq!((outcome.code, outcome.path.last_hop), (Code::Dropped, None), "{outcome:#?}");
    assert!(outcome.sentence.contains("No router is between"), "{}", outcome.sentence);
}
