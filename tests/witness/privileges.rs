//! What is left without privileges: the table and the counters.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use bothways::model::flow::Transport;
use bothways::model::sighting::{Means, Sighting, SightingKind};
use bothways::peer::witness::Witness;

use super::{Post, at, until};
use crate::support::daemon;
use crate::support::namespaces::{CLIENT, Network, Node, SERVER};

/// Set for this test when it runs again as nobody: the two watched ports.
const PORTS: &str = "BOTHWAYS_TEST_PORTS";

#[test]
fn without_privileges_half_open_connections_are_still_seen() {
    match std::env::var(PORTS) {
        Ok(ports) => watch_as_nobody(&ports),
        Err(_) => start_as_nobody(),
    }
}

/// Both connects go on trying meanwhile, so there is no need to know when the other process began to watch.
fn start_as_nobody() {
    let network = Network::new();
    let [dropped, rejected] = [(); 2].map(|()| network.listen(Node::Server, SERVER));
    let [one, other] = [&dropped, &rejected].map(|listener| at(listener).port());
    network.rule(Node::Router, "forward", &format!("tcp sport {one} drop\n tcp sport {other} reject with tcp reset"));
    let post = Post::new(network, Node::Server, []);
    let _knocking = [&dropped, &rejected].map(|listener| post.knock(at(listener)));
    // Whoever may not look into the folder of this program may into this one.
    let folder = tempfile::tempdir().expect("a folder");
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).expect("a folder of ours");
    let copy = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().expect("a program"), &copy).expect("room");
    let mut command: Command = post.network.program(Node::Server, daemon::program("setpriv", "util-linux"));
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
    command.arg(copy).args(["--exact", "witness::privileges::without_privileges_half_open_connections_are_still_seen"]);
    let output = command.env(PORTS, format!("{one} {other}")).output().expect("ip and setpriv");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn watch_as_nobody(ports: &str) {
    let ports: Vec<u16> = ports.split(' ').map(|port| port.parse().expect("a port")).collect();
    let witness = Witness::start(ports.iter().map(|port| (Transport::Tcp, *port)));
    let dropped = SocketAddr::new(SERVER.parse().expect("an address"), ports[0]);
    assert_eq!(witness.means(), [Means::ConnectionTable, Means::Counters]);
    let client = CLIENT.parse().expect("an address");
    let is_it = |sighting: &Sighting| sighting.kind == SightingKind::HalfOpen && sighting.local == dropped;
    until(|| witness.seen_of(client).iter().any(is_it), || format!("{:?}", witness.seen_of(client)));
    until(|| witness.half_open_ended() > 0, || "nothing was counted".to_owned());
}
