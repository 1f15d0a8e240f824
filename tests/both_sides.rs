//! Two sides in network namespaces with real firewalls between them: one command tells every flow, direction and half.

mod apart;
mod crowd;
pub mod pair;

use crate::support::namespaces::{Network, Node, SERVER};
use pair::{check, listen, verdict};

/// The client's flows that the listener answers here, and the one that it opens itself.
const FLOWS: [&str; 5] = ["job-query", "inventory", "wake-up-websocket", "network-boot", "wake-up-tcp"];

const SERVER_SIDES: [&str; 4] = ["--side", "server", "--side", "boot-server"];

fn run(network: &Network, more: &[&str]) -> serde_json::Value {
    let listener = listen(network, Node::Server, &[&SERVER_SIDES[..], &["--control-port", "7443"]].concat());
    let hosts = [format!("server.host={SERVER}"), format!("boot-server.host={SERVER}")];
    let set = ["--side", "client", "--timeout", "4s", "--set", &hosts[0], "--set", &hosts[1]];
    check(network, Node::Client, &listener, &[&set[..], more].concat())
}

#[test]
fn an_open_network_is_green_in_both_directions() {
    let network = Network::new();
    let record = run(&network, &[]);
    for flow in FLOWS {
        assert_eq!(verdict(&record, flow), "pass ok -", "{flow}: {record:#}");
    }
    assert_eq!(record["run"]["peer"]["side"], serde_json::json!(["server", "boot-server"]));
}

/// One rule, and what the flow that it hits must then be; all others stay green.
fn blocked(node: Node, hook: &str, rule: &str, hit: &[&str], verdict_wanted: &str) {
    let network = Network::new();
    network.rule(node, hook, rule);
    let record = run(&network, &[]);
    for flow in FLOWS {
        let wanted = if hit.contains(&flow) { verdict_wanted } else { "pass ok -" };
        assert_eq!(verdict(&record, flow), wanted, "{flow} behind `{rule}`: {record:#}");
    }
}

const WEB: [&str; 3] = ["job-query", "inventory", "wake-up-websocket"];

#[test]
fn a_request_dropped_on_the_way_is_a_lost_request() {
    blocked(Node::Router, "forward", "ip daddr 10.9.2.2 tcp dport 80 drop", &WEB, "fail dropped request");
}

#[test]
fn an_answer_dropped_on_the_way_is_a_lost_reply() {
    blocked(Node::Router, "forward", "ip saddr 10.9.2.2 tcp sport 80 drop", &WEB, "fail dropped reply");
}

#[test]
fn a_request_dropped_by_the_servers_own_firewall_is_a_lost_request() {
    blocked(Node::Server, "input", "tcp dport 80 drop", &WEB, "fail dropped request");
}

#[test]
fn an_answer_dropped_by_the_servers_own_firewall_is_a_lost_reply() {
    blocked(Node::Server, "output", "tcp sport 80 drop", &WEB, "fail dropped reply");
}

#[test]
fn a_reset_in_the_path_is_not_the_servers() {
    let rule = "ip daddr 10.9.2.2 tcp dport 80 reject with tcp reset";
    blocked(Node::Router, "forward", rule, &WEB, "fail refused-in-path request");
}

#[test]
fn an_icmp_rejection_is_a_lost_request() {
    let rule = "ip daddr 10.9.2.2 tcp dport 80 reject with icmp type admin-prohibited";
    blocked(Node::Router, "forward", rule, &WEB, "fail rejected request");
}

#[test]
fn a_wake_up_dropped_on_its_way_to_the_client_is_a_lost_request() {
    blocked(
        Node::Router,
        "forward",
        "ip daddr 10.9.1.2 tcp dport 32227 drop",
        &["wake-up-tcp"],
        "fail dropped request",
    );
}

#[test]
fn a_wake_up_whose_answer_is_dropped_is_a_lost_reply() {
    blocked(Node::Router, "forward", "ip saddr 10.9.1.2 tcp sport 32227 drop", &["wake-up-tcp"], "fail dropped reply");
}

#[test]
fn a_boot_request_dropped_on_the_way_is_a_lost_request() {
    blocked(Node::Router, "forward", "udp dport 69 drop", &["network-boot"], "fail dropped request");
}

#[test]
fn a_boot_answer_from_its_new_port_that_is_dropped_is_a_blocked_transfer_port() {
    let rule = "ip saddr 10.9.2.2 meta l4proto udp drop";
    blocked(Node::Router, "forward", rule, &["network-boot"], "fail tftp-transfer-port-blocked reply");
}
