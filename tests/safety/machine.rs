//! A listener on a machine of its own, as others on the network meet it: who scans it, and who would have it dial for them.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use bothways::model::flow::{Role, Transport};
use bothways::model::run::Outcome;
use bothways::model::sighting::{AnsweredBy, Answering};
use bothways::net::Net;
use bothways::net::resolve::Resolver;
use bothways::peer::join::JoinCode;
use bothways::peer::listener::Wanted;
use bothways::peer::message::{Hello, VERSION};
use bothways::peer::search::Search;

use super::{IpAddr, PATIENCE, SocketAddr};
use crate::both_sides::pair::{Listener, listen};
use crate::support::hostile::garbage;
use crate::support::namespaces::{CLIENT, Network, Node, ROUTER, SERVER};

const CONTROL: u16 = 7443;
/// Where wake-ups are sent to, and a port that no flow of the profile has.
const WAKE_UP: u16 = 32227;
const FOREIGN: u16 = 9999;

fn listener(network: &Network) -> Listener {
    listen(network, Node::Server, &["--side", "server", "--side", "boot-server", "--control-port", "7443"])
}

/// What a port says to somebody who sends garbage; nothing where it is closed.
fn scanned(port: u16) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(SocketAddr::new(SERVER.parse().expect("an address"), port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let _ = stream.write_all(&garbage());
    let mut said = Vec::new();
    let ended = stream.read_to_end(&mut said);
    assert!(ended.is_ok() || said.is_empty(), "{port}: {ended:?}");
    Some(said)
}

#[test]
fn a_scan_of_every_port_finds_those_of_the_roles_and_hears_nothing_from_them() {
    let network = Network::new();
    let _listener = listener(&network);
    let open: Vec<(u16, Vec<u8>)> = network
        .inside(Node::Client, || async { (1..=u16::MAX).filter_map(|port| Some((port, scanned(port)?))).collect() });
    assert_eq!(open.iter().map(|(port, _)| *port).collect::<Vec<_>>(), [80, CONTROL]);
    for (port, said) in open {
        // TLS may say that this is none.
        assert!(said.is_empty() || port == CONTROL && said.len() <= 7 && said[0] == 0x15, "{port}: {said:?}");
    }
}

/// The answers of somebody that joins for its own ends: it would have a third machine dialed, and a foreign port.
async fn tested(listener: &Listener, checks: &[&str]) -> Vec<Outcome> {
    let code: JoinCode = listener.code.parse().expect("a code");
    let net = Net::new(Resolver::default(), HashMap::new());
    let hello = Hello {
        version: VERSION,
        token: String::new(),
        run: String::new(),
        sides: vec![Role::new("client"), Role::new("sql-server")],
        addresses: vec![ROUTER.parse().expect("an address")],
        through_proxy: false,
        checks: Vec::new(),
        timeout_ms: None,
        deadline_ms: None,
    };
    let search = Search { code: &code, proxies: Vec::new(), source: None, net: &net };
    let mut channel = search.join(hello, |_| {}).await.expect("it lets us in");
    let answer = |port: u16| Answering {
        role: Role::new("client"),
        endpoint: ROUTER.to_owned(),
        transport: Transport::Tcp,
        port,
        checks: vec!["wake-up-tcp".to_owned()],
        by: AnsweredBy::Responder,
        over_v6: None,
    };
    let checks = checks.iter().map(ToString::to_string).collect();
    let wanted = Wanted { answers: vec![answer(WAKE_UP), answer(FOREIGN)], certificate: String::new(), checks };
    let outcomes = channel.test_again(wanted).await.expect("it answers");
    channel.bye().await;
    outcomes
}

/// How many have connected to this by now.
fn callers(listener: &TcpListener) -> Vec<IpAddr> {
    listener.set_nonblocking(true).expect("a socket");
    std::iter::from_fn(|| match listener.accept() {
        Ok((_, from)) => Some(from.ip()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    })
    .collect()
}

#[test]
fn a_join_code_makes_a_listener_dial_its_holder_on_the_profiles_ports_and_nothing_else() {
    let network = Network::new();
    let listener = listener(&network);
    let own = network.listen_on(Node::Client, CLIENT, WAKE_UP);
    let foreign = network.listen_on(Node::Client, CLIENT, FOREIGN);
    let third = network.listen_on(Node::Router, ROUTER, WAKE_UP);
    let outcomes = network.inside(Node::Client, || tested(&listener, &[]));
    assert!(outcomes.iter().any(|outcome| outcome.check == "wake-up-tcp"), "{outcomes:?}");
    let server: IpAddr = SERVER.parse().expect("an address");
    assert!(callers(&own).contains(&server), "whoever asks is dialed");
    assert_eq!(callers(&third), Vec::<IpAddr>::new(), "an address that was only named is not");
    assert_eq!(callers(&foreign), Vec::<IpAddr>::new(), "a port of no flow is not");
    assert_eq!(network.inside(Node::Client, || tested(&listener, &["made-up", "../../etc/passwd"])), []);
}
