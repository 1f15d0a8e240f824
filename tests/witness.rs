//! What a witness sees of a peer's probes, with real firewalls on the way there, on the way back, and on the host itself.

mod flood;
mod lost_replies;
mod lost_requests;
mod privileges;
mod udp;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use bothways::model::flow::Transport;
use bothways::model::sighting::{Means, Sighting, SightingKind};
use bothways::peer::witness::Witness;
use socket2::{Domain, Socket, Type};

use crate::support::namespaces::{CLIENT, Network, Node, ROUTER, SERVER};

const DEADLINE: Duration = Duration::from_secs(10);

/// A witness on one machine of a network, asked there too.
struct Post {
    network: Network,
    node: Node,
    witness: Witness,
}

impl Post {
    fn new<const N: usize>(network: Network, node: Node, ports: [(Transport, u16); N]) -> Self {
        let witness = network.inside(node, move || async move { Witness::start(ports) });
        Self { network, node, witness }
    }

    fn seen_of(&self, peer: &str) -> Vec<Sighting> {
        let peer: IpAddr = peer.parse().expect("an address");
        self.network.inside(self.node, || async move { self.witness.seen_of(peer) })
    }

    fn sightings(&self, peer: &str, local: SocketAddr) -> Vec<Sighting> {
        self.seen_of(peer).into_iter().filter(|sighting| sighting.local == local).collect()
    }

    fn kinds(&self, peer: &str, local: SocketAddr) -> BTreeSet<String> {
        names(&self.sightings(peer, local).iter().map(|sighting| sighting.kind).collect::<Vec<_>>())
    }

    fn means(&self) -> Vec<Means> {
        self.network.inside(self.node, || async { self.witness.means() })
    }

    /// The kinds that were seen of a peer on a port, once they are at least these.
    #[track_caller]
    fn seen_at_least(&self, peer: &str, local: SocketAddr, wanted: &[SightingKind]) -> BTreeSet<String> {
        let wanted = names(wanted);
        until(
            || self.kinds(peer, local).is_superset(&wanted),
            || format!("{:?} is not {wanted:?}", self.kinds(peer, local)),
        );
        self.kinds(peer, local)
    }

    #[track_caller]
    fn some_ended(&self) {
        until(|| self.witness.half_open_ended() > 0, || "no half-open connection ended".to_owned());
    }

    /// Begins to connect from the client and does not wait for what becomes of it; it goes on until the socket is dropped.
    fn knock(&self, to: SocketAddr) -> Socket {
        self.network.inside(Node::Client, || async move {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("an option");
            let begun = socket.connect(&to.into()).expect_err("not at once");
            assert_eq!(begun.raw_os_error(), Some(nix::errno::Errno::EINPROGRESS as i32), "{begun}");
            socket
        })
    }
}

/// A server that listens on two ports and watches both. The second is for control: no rule concerns it.
struct Scene {
    listener: TcpListener,
    control: TcpListener,
    post: Post,
}

impl Scene {
    fn new(server: &str) -> Self {
        let network = Network::new();
        let (listener, control) = (network.listen(Node::Server, server), network.listen(Node::Server, server));
        let ports = [&listener, &control].map(|listener| (Transport::Tcp, at(listener).port()));
        Self { listener, control, post: Post::new(network, Node::Server, ports) }
    }

    /// IPv4, with a rule on the watched port; `PORT` in the rule is that port.
    fn with_rule(node: Node, hook: &str, rule: &str) -> Self {
        let scene = Self::new(SERVER);
        scene.rule(node, hook, rule);
        scene
    }

    fn rule(&self, node: Node, hook: &str, rule: &str) {
        self.post.network.rule(node, hook, &rule.replace("PORT", &at(&self.listener).port().to_string()));
    }

    fn knock(&self) -> Socket {
        self.post.knock(at(&self.listener))
    }

    #[track_caller]
    fn seen_at_least(&self, client: &str, wanted: &[SightingKind]) -> BTreeSet<String> {
        self.post.seen_at_least(client, at(&self.listener), wanted)
    }

    /// What was seen of the client on the watched port when a later connect to the one for control had been seen.
    #[track_caller]
    fn seen_before_control(&self) -> BTreeSet<String> {
        let control = at(&self.control);
        let _control = self.post.knock(control);
        self.post.seen_at_least(CLIENT, control, &[SightingKind::RequestIn, SightingKind::ReplyOut]);
        self.post.kinds(CLIENT, at(&self.listener))
    }
}

fn at(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("bound")
}

/// Waits for a condition; after the deadline it says what there was instead.
#[track_caller]
fn until(there: impl Fn() -> bool, instead: impl Fn() -> String) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < DEADLINE, "{}", instead());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn names(kinds: &[SightingKind]) -> BTreeSet<String> {
    kinds.iter().map(|kind| format!("{kind:?}")).collect()
}

#[test]
fn a_connect_that_works_is_a_request_and_a_reply() {
    use SightingKind::{ReplyOut, RequestIn};
    let scene = Scene::new(SERVER);
    let knocking = scene.knock();
    scene.seen_at_least(CLIENT, &[RequestIn, ReplyOut]);
    let (_accepted, remote) = scene.listener.accept().expect("a connection");
    assert_eq!(knocking.local_addr().expect("bound").as_socket(), Some(remote));
    let sightings = scene.post.sightings(CLIENT, at(&scene.listener));
    assert!(sightings.iter().all(|sighting| sighting.remote == remote), "{sightings:?}");
    assert!(sightings.iter().all(|sighting| sighting.transport == Transport::Tcp), "{sightings:?}");
    assert_eq!(scene.post.witness.half_open_ended(), 0);
    assert_eq!(scene.post.seen_of(SERVER), [], "nobody else came");
}

#[test]
fn a_connect_over_loopback_is_seen_once() {
    use SightingKind::{ReplyOut, RequestIn};
    let scene = Scene::new(SERVER);
    let to = at(&scene.listener);
    let connecting = move || async move { std::net::TcpStream::connect(to).expect("a listener") };
    let _connected = scene.post.network.inside(Node::Server, connecting);
    scene.seen_at_least(SERVER, &[RequestIn, ReplyOut]);
    let sightings = scene.post.sightings(SERVER, to);
    let packets = sightings.iter().filter(|sighting| [RequestIn, ReplyOut].contains(&sighting.kind));
    assert_eq!(packets.count(), 2, "{sightings:?}");
}

#[test]
fn packets_that_are_only_forwarded_are_nobodys_request() {
    let network = Network::new();
    let (listener, own) = (network.listen(Node::Server, SERVER), network.listen(Node::Router, ROUTER));
    let ports = [&listener, &own].map(|listener| (Transport::Tcp, at(listener).port()));
    let post = Post::new(network, Node::Router, ports);
    let _through = post.knock(at(&listener));
    listener.accept().expect("a connection through the router");
    let _to_it = post.knock(at(&own));
    post.seen_at_least(CLIENT, at(&own), &[SightingKind::RequestIn]);
    assert_eq!(post.kinds(CLIENT, at(&listener)), BTreeSet::new());
}
