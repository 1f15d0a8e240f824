//! Datagrams to a port that a service already has.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};

use bothways::model::flow::Transport;
use bothways::model::sighting::SightingKind::{ReplyOut, RequestIn};

use super::{DEADLINE, Post, names};
use crate::support::namespaces::{CLIENT, CLIENT_V6, Network, Node, SERVER, SERVER_V6};

/// A service on the server that is watched, and another for control.
struct Scene {
    service: UdpSocket,
    control: UdpSocket,
    client: UdpSocket,
    post: Post,
}

fn bind(network: &Network, node: Node, host: &str) -> UdpSocket {
    let address = SocketAddr::new(host.parse().expect("an address"), 0);
    let socket = network.inside(node, move || async move { UdpSocket::bind(address).expect("a free port") });
    socket.set_read_timeout(Some(DEADLINE)).expect("an option");
    socket
}

fn at(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("bound")
}

impl Scene {
    fn new(server: &str, client: &str) -> Self {
        let network = Network::new();
        let [service, control] = [(); 2].map(|()| bind(&network, Node::Server, server));
        let client = bind(&network, Node::Client, client);
        let ports = [&service, &control].map(|socket| (Transport::Udp, at(socket).port()));
        Self { service, control, client, post: Post::new(network, Node::Server, ports) }
    }

    /// `PORT` in the rule is the service's.
    fn with_rule(node: Node, hook: &str, rule: &str) -> Self {
        let scene = Self::new(SERVER, CLIENT);
        scene.post.network.rule(node, hook, &rule.replace("PORT", &at(&scene.service).port().to_string()));
        scene
    }

    /// The client asks one service, which answers if it heard.
    fn ask(&self, service: &UdpSocket) {
        self.client.send_to(b"question", at(service)).expect("a route");
    }

    fn answer(&self, service: &UdpSocket) -> std::io::Result<usize> {
        let (_, from) = service.recv_from(&mut [0; 64]).expect("a question");
        assert_eq!(from, at(&self.client));
        service.send_to(b"answer", from)
    }

    /// The control asked and answered after all else, so that all else has been seen.
    #[track_caller]
    fn seen_before_control(&self) -> BTreeSet<String> {
        self.ask(&self.control);
        self.answer(&self.control).expect("a way back");
        let client = at(&self.client).ip().to_string();
        self.post.seen_at_least(&client, at(&self.control), &[RequestIn, ReplyOut]);
        self.post.kinds(&client, at(&self.service))
    }
}

#[test]
fn a_datagram_that_is_dropped_on_the_way_is_not_seen() {
    let scene = Scene::with_rule(Node::Router, "forward", "udp dport PORT drop");
    scene.ask(&scene.service);
    assert_eq!(scene.seen_before_control(), BTreeSet::new());
}

#[test]
fn a_datagram_that_the_hosts_own_firewall_drops_arrived() {
    let scene = Scene::with_rule(Node::Server, "input", "udp dport PORT drop");
    scene.ask(&scene.service);
    assert_eq!(scene.seen_before_control(), names(&[RequestIn]));
}

#[test]
fn an_answer_that_is_dropped_on_the_way_left() {
    let scene = Scene::with_rule(Node::Router, "forward", "udp sport PORT drop");
    scene.ask(&scene.service);
    scene.answer(&scene.service).expect("a way out");
    assert_eq!(scene.seen_before_control(), names(&[RequestIn, ReplyOut]));
}

#[test]
fn an_answer_that_the_hosts_own_firewall_drops_did_not_leave() {
    let scene = Scene::with_rule(Node::Server, "output", "udp sport PORT drop");
    scene.ask(&scene.service);
    scene.answer(&scene.service).expect_err("the firewall's refusal");
    assert_eq!(scene.seen_before_control(), names(&[RequestIn]));
}

#[test]
fn an_answer_from_another_port_is_one_of_the_port_that_was_asked() {
    let scene = Scene::new(SERVER, CLIENT);
    scene.ask(&scene.service);
    let (_, from) = scene.service.recv_from(&mut [0; 64]).expect("a question");
    let transfer = bind(&scene.post.network, Node::Server, SERVER);
    transfer.send_to(b"block 1", from).expect("a way out");
    assert_eq!(scene.seen_before_control(), names(&[RequestIn, ReplyOut]));
    let sightings = scene.post.sightings(CLIENT, at(&scene.service));
    let remotes: Vec<_> = sightings.iter().map(|sighting| (sighting.transport, sighting.remote)).collect();
    assert_eq!(remotes, [(Transport::Udp, from); 2]);
}

#[test]
fn datagrams_to_somebody_who_did_not_ask_are_no_replies() {
    let scene = Scene::new(SERVER, CLIENT);
    let other = bind(&scene.post.network, Node::Server, SERVER);
    other.send_to(b"news", at(&scene.client)).expect("a way out");
    assert_eq!(scene.seen_before_control(), BTreeSet::new());
}

#[test]
fn in_ipv6_an_answer_that_is_dropped_on_the_way_left() {
    let scene = Scene::new(SERVER_V6, CLIENT_V6);
    scene.post.network.rule(Node::Router, "forward", &format!("udp sport {} drop", at(&scene.service).port()));
    scene.ask(&scene.service);
    scene.answer(&scene.service).expect("a way out");
    assert_eq!(scene.seen_before_control(), names(&[RequestIn, ReplyOut]));
}
