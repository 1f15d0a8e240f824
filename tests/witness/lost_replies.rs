//! Requests that arrive and whose replies are lost or rejected.

use std::net::SocketAddr;

use bothways::model::flow::Transport;
use bothways::model::sighting::SightingKind;
use bothways::model::sighting::SightingKind::{HalfOpen, ReplyOut, ReplyRefused, RequestIn};

use super::{Post, Scene, at, names};
use crate::support::namespaces::{CLIENT, CLIENT_V6, Network, Node, ROUTER_V6, SERVER, SERVER_V6};

/// A reply that the router treats so leaves the connection half-open.
#[track_caller]
fn assert_half_open(verdict: &str, kinds: &[SightingKind]) {
    let scene = Scene::with_rule(Node::Router, "forward", &format!("tcp sport PORT {verdict}"));
    let knocking = scene.knock();
    assert_eq!(scene.seen_at_least(CLIENT, kinds), names(kinds));
    let sightings = scene.post.sightings(CLIENT, at(&scene.listener));
    let from = knocking.local_addr().expect("bound").as_socket();
    assert!(sightings.iter().all(|sighting| Some(sighting.remote) == from), "{sightings:?}");
    assert_eq!(scene.post.witness.half_open_ended(), 0);
}

/// A reply that the router treats so ends the half-open connection.
#[track_caller]
fn assert_ended(verdict: &str) {
    let scene = Scene::with_rule(Node::Router, "forward", &format!("tcp sport PORT {verdict}"));
    let _knocking = scene.knock();
    scene.post.some_ended();
    scene.seen_at_least(CLIENT, &[RequestIn, ReplyOut, ReplyRefused]);
}

#[test]
fn a_reply_that_is_dropped_on_the_way_leaves_a_half_open_connection() {
    assert_half_open("drop", &[HalfOpen, RequestIn, ReplyOut]);
}

#[test]
fn a_reply_that_is_prohibited_leaves_a_half_open_connection() {
    assert_half_open("reject with icmp admin-prohibited", &[HalfOpen, RequestIn, ReplyOut, ReplyRefused]);
}

#[test]
fn a_reply_that_is_answered_with_a_reset_is_counted() {
    assert_ended("reject with tcp reset");
}

#[test]
fn a_reply_that_is_answered_with_net_unreachable_is_counted() {
    assert_ended("reject with icmp net-unreachable");
}

#[test]
fn a_reply_that_is_answered_with_host_unreachable_is_counted() {
    assert_ended("reject with icmp host-unreachable");
}

#[test]
fn a_reply_that_the_hosts_own_firewall_drops_did_not_leave() {
    let scene = Scene::with_rule(Node::Server, "output", "tcp sport PORT drop");
    let _knocking = scene.knock();
    assert!(!scene.seen_before_control().contains("ReplyOut"));
    let seen = scene.seen_at_least(CLIENT, &[HalfOpen, RequestIn]);
    assert_eq!(seen, names(&[HalfOpen, RequestIn]));
}

#[test]
fn a_reply_that_the_hosts_own_firewall_rejects_did_not_leave() {
    for verdict in ["reject with tcp reset", "reject with icmp host-unreachable", "reject with icmp admin-prohibited"] {
        let scene = Scene::with_rule(Node::Server, "output", &format!("tcp sport PORT {verdict}"));
        let _knocking = scene.knock();
        scene.seen_at_least(CLIENT, &[RequestIn, ReplyRefused]);
        assert!(!scene.seen_before_control().contains("ReplyOut"), "{verdict}");
    }
}

#[test]
fn whoever_rejects_a_reply_on_its_way_is_known() {
    let scene = Scene::new(SERVER_V6);
    scene.rule(Node::Router, "forward", "tcp sport PORT reject with icmpv6 admin-prohibited");
    let _knocking = scene.knock();
    scene.seen_at_least(CLIENT_V6, &[ReplyRefused]);
    let sightings = scene.post.sightings(CLIENT_V6, at(&scene.listener));
    let by = sightings.iter().find_map(|sighting| sighting.icmp).expect("a message");
    // The router's address on the server's side.
    let from = by.from.expect("a sender").to_string();
    assert_eq!((by.kind, by.code, from.as_str(), from != ROUTER_V6), (1, 1, "fd09:2::1", true));
}

#[test]
fn in_ipv6_a_dropped_reply_leaves_a_half_open_connection() {
    let scene = Scene::new(SERVER_V6);
    scene.rule(Node::Router, "forward", "tcp sport PORT drop");
    let _knocking = scene.knock();
    let seen = scene.seen_at_least(CLIENT_V6, &[HalfOpen, RequestIn, ReplyOut]);
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn in_ipv6_a_prohibited_reply_is_counted() {
    let scene = Scene::new(SERVER_V6);
    scene.rule(Node::Router, "forward", "tcp sport PORT reject with icmpv6 admin-prohibited");
    let _knocking = scene.knock();
    scene.post.some_ended();
}

#[test]
fn an_ipv4_peer_of_a_service_of_both_families_is_an_ipv4_peer() {
    let network = Network::new();
    let listener = network.listen(Node::Server, "::");
    let to = SocketAddr::new(SERVER.parse().expect("an address"), at(&listener).port());
    let post = Post::new(network, Node::Server, [(Transport::Tcp, to.port())]);
    post.network.rule(Node::Router, "forward", &format!("tcp sport {} drop", to.port()));
    let _knocking = post.knock(to);
    let seen = post.seen_at_least(CLIENT, to, &[HalfOpen, RequestIn, ReplyOut]);
    assert_eq!(post.kinds("::ffff:10.9.1.2", to), seen);
}
