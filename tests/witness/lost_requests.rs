//! Requests that never arrive, or that this host's own firewall drops.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};

use bothways::model::sighting::{Means, SightingKind};

use super::{Post, Scene, at, names, until};
use crate::support::namespaces::{CLIENT, Network, Node, SERVER};

#[test]
fn a_request_that_is_dropped_on_the_way_is_not_seen() {
    let scene = Scene::with_rule(Node::Router, "forward", "tcp dport PORT drop");
    let _lost = scene.knock();
    assert_eq!(scene.seen_before_control(), BTreeSet::new());
    assert_eq!(scene.post.witness.half_open_ended(), 0);
    assert_eq!(scene.post.means(), [Means::ConnectionTable, Means::Counters, Means::Packets]);
}

#[test]
fn a_request_that_the_hosts_own_firewall_drops_arrived_and_was_not_answered() {
    let scene = Scene::with_rule(Node::Server, "input", "tcp dport PORT drop");
    let _lost = scene.knock();
    assert_eq!(scene.seen_before_control(), names(&[SightingKind::RequestIn]));
    assert_eq!(scene.post.witness.half_open_ended(), 0);
}

#[test]
fn a_request_that_the_hosts_own_firewall_refuses_arrived_and_was_refused() {
    for verdict in ["reject with tcp reset", "reject with icmp port-unreachable"] {
        let scene = Scene::with_rule(Node::Server, "input", &format!("tcp dport PORT {verdict}"));
        let _refused = scene.knock();
        let kinds = [SightingKind::RequestIn, SightingKind::RefusalOut];
        assert_eq!(scene.seen_at_least(CLIENT, &kinds), names(&kinds), "{verdict}");
    }
}

#[test]
fn a_request_of_this_side_and_what_answers_it_are_seen_outside_its_own_firewall() {
    let network = Network::new();
    let [open, kept_in, kept_out] = [(); 3].map(|()| network.listen(Node::Server, SERVER));
    let post = Post::new(network, Node::Client, []);
    let server: IpAddr = SERVER.parse().expect("an address");
    post.network.inside(Node::Client, || async { post.witness.probe(server) });
    let (inward, outward) = (at(&kept_out).port(), at(&kept_in).port());
    post.network.rules(
        Node::Client,
        &[("input", &format!("tcp sport {inward} drop")), ("output", &format!("tcp dport {outward} drop"))],
    );
    let _knocking = [&kept_in, &kept_out, &open].map(|listener| post.knock(at(listener)));
    let of = |listener: &TcpListener| {
        let seen = post.seen_of(SERVER);
        names(&seen.iter().filter(|one| one.remote == at(listener)).map(|one| one.kind).collect::<Vec<_>>())
    };
    let both = names(&[SightingKind::RequestOut, SightingKind::ReplyIn]);
    until(|| of(&open) == both && of(&kept_out) == both, || format!("{:?}", post.seen_of(SERVER)));
    assert_eq!(of(&kept_in), BTreeSet::new());
}

#[test]
fn a_service_whose_queue_is_full_makes_the_table_no_means() {
    let scene = Scene::new(SERVER);
    socket2::SockRef::from(&scene.listener).listen(0).expect("a listening socket");
    // The kernel lets one connection wait more than it was told, and drops the requests that come then.
    let _knocking = [(); 3].map(|()| scene.knock());
    let means = || scene.post.means();
    until(|| means() == [Means::Counters, Means::Packets], || format!("{:?}", means()));
    scene.seen_at_least(CLIENT, &[SightingKind::RequestIn]);
    assert_eq!(scene.post.witness.half_open_ended(), 0, "what a full queue turns away was never half-open");
}
