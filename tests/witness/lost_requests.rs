//! Requests that never arrive, or that this host's own firewall drops.

use std::collections::BTreeSet;

use bothways::model::sighting::{Means, SightingKind};

use super::{Scene, names, until};
use crate::support::namespaces::{CLIENT, Node, SERVER};

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
