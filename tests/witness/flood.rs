//! More than can be kept: what was overlooked is admitted.

use std::net::UdpSocket;

use bothways::model::flow::Transport;
use bothways::model::sighting::Means;
use bothways::sys::Packets;

use super::Post;
use crate::support::namespaces::{Network, Node};

/// More datagrams than fit into the buffer that is asked for, each of which takes several hundred bytes there.
const FLOOD: u32 = 100_000;

#[test]
fn packets_that_came_faster_than_they_were_read_are_admitted() {
    let network = Network::new();
    let lost = network.inside(Node::Server, || async {
        let packets = Packets::open().expect("root");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let to = socket.local_addr().expect("bound");
        let mut buffer = [0; Packets::BYTES];
        socket.send_to(b"one", to).expect("a loopback");
        assert!(packets.wait() && packets.next(&mut buffer).is_some());
        let before = packets.lost();
        for _ in 0..FLOOD {
            socket.send_to(b"many", to).expect("a loopback");
        }
        while packets.next(&mut buffer).is_some() {}
        // It is the next packet that tells how many were lost before it.
        socket.send_to(b"last", to).expect("a loopback");
        assert!(packets.wait() && packets.next(&mut buffer).is_some());
        [before, packets.lost()].map(|lost| lost > 0)
    });
    assert_eq!(lost, [false, true]);
}

#[test]
fn when_sightings_had_to_be_forgotten_nothing_counts_as_missing() {
    let network = Network::new();
    let service = network.inside(Node::Server, || async { UdpSocket::bind("127.0.0.1:0").expect("a free port") });
    let to = service.local_addr().expect("bound");
    let listener = network.listen(Node::Server, "127.0.0.1");
    let tcp = listener.local_addr().expect("bound").port();
    let post = Post::new(network, Node::Server, [(Transport::Udp, to.port()), (Transport::Tcp, tcp)]);
    assert_eq!(post.means(), [Means::ConnectionTable, Means::Counters, Means::Packets]);
    post.network.inside(Node::Server, || async move {
        for port in 10_000..20_000_u16 {
            // A port that is taken is one of many.
            let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
            socket.send_to(b"question", to).expect("a loopback");
        }
    });
    assert_eq!(post.means(), [Means::Counters]);
    let seen = post.seen_of("127.0.0.1");
    assert!(seen.len() > 1000 && seen.len() < 5000, "{}", seen.len());
}
