//! A small network in Linux namespaces: client, one or two routers, server. Made by a test (as root), gone when dropped.

use std::ffi::OsStr;
use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

pub const CLIENT: &str = "10.9.1.2";
pub const ROUTER: &str = "10.9.1.1";
pub const SERVER: &str = "10.9.2.2";
pub const CLIENT_V6: &str = "fd09:1::2";
pub const ROUTER_V6: &str = "fd09:1::1";
pub const SERVER_V6: &str = "fd09:2::2";
/// The second router, as the client sees it.
pub const INNER: &str = "10.9.3.2";
pub const INNER_V6: &str = "fd09:3::2";

/// One machine of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Client,
    Router,
    /// The second router, between the first and the server.
    Inner,
    Server,
}

/// client (`10.9.1.2`) - router (`10.9.1.1`, `10.9.2.1`) - server (`10.9.2.2`), and the same in IPv6.
pub struct Network {
    name: String,
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in [Node::Client, Node::Router, Node::Inner, Node::Server] {
            let _ = Command::new("ip").args(["netns", "del", &self.node(node)]).stderr(Stdio::null()).status();
        }
    }
}

impl Network {
    /// # Panics
    /// Where this process is not root or `iproute2` is missing.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bw{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let network = Self { name };
        let (c, r, s) = (network.node(Node::Client), network.node(Node::Router), network.node(Node::Server));
        feed(
            Command::new("ip").args(["-batch", "-"]),
            &format!(
                "netns add {c}\nnetns add {r}\nnetns add {s}\n\
                 link add near netns {c} type veth peer name left netns {r}\n\
                 link add near netns {s} type veth peer name right netns {r}\n"
            ),
        );
        let near = |address, gateway, v6, gateway_v6| {
            format!(
                "link set lo up\nlink set near up\naddr add {address}/24 dev near\nroute add default via {gateway}\n\
                 addr add {v6}/64 dev near nodad\nroute add default via {gateway_v6}\n"
            )
        };
        network.forward(Node::Router);
        network.ip(
            Node::Router,
            "link set lo up\nlink set left up\nlink set right up\naddr add 10.9.1.1/24 dev left\n\
             addr add 10.9.2.1/24 dev right\naddr add fd09:1::1/64 dev left nodad\naddr add fd09:2::1/64 dev right nodad\n",
        );
        for (node, link) in [(Node::Router, "right"), (Node::Client, "near")] {
            network.inside(node, || async move {
                // A missing neighbour is then given up after 0.6 seconds instead of 3.
                let path = format!("/proc/sys/net/ipv4/neigh/{link}/retrans_time_ms");
                std::fs::write(path, "200").expect("root");
            });
        }
        network.ip(Node::Client, &near(CLIENT, ROUTER, CLIENT_V6, ROUTER_V6));
        network.ip(Node::Server, &near(SERVER, "10.9.2.1", SERVER_V6, "fd09:2::1"));
        network
    }

    /// The same with a second router: `10.9.3.1` - `10.9.3.2` lies between the two.
    pub fn with_two_routers() -> Self {
        let network = Self::new();
        let inner = network.node(Node::Inner);
        feed(Command::new("ip").args(["-batch", "-"]), &format!("netns add {inner}\n"));
        network.ip(
            Node::Router,
            &format!("link set right netns {inner}\nlink add inner type veth peer name outer netns {inner}\n"),
        );
        network.forward(Node::Inner);
        network.ip(
            Node::Router,
            "link set inner up\naddr add 10.9.3.1/24 dev inner\naddr add fd09:3::1/64 dev inner nodad\n\
             route add 10.9.2.0/24 via 10.9.3.2\nroute add fd09:2::/64 via fd09:3::2\n",
        );
        network.ip(
            Node::Inner,
            "link set lo up\nlink set right up\nlink set outer up\naddr add 10.9.2.1/24 dev right\n\
             addr add fd09:2::1/64 dev right nodad\naddr add 10.9.3.2/24 dev outer\naddr add fd09:3::2/64 dev outer nodad\n\
             route add default via 10.9.3.1\nroute add default via fd09:3::1\n",
        );
        // The kernel takes up to a second to notice that a moved link is up; until then packets are lost.
        network.inside(Node::Client, || async {
            for host in [SERVER, SERVER_V6] {
                let address = SocketAddr::new(host.parse::<IpAddr>().expect("an address"), 9);
                let answered = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
                while !std::net::TcpStream::connect(address).is_err_and(answered) {}
            }
        });
        network
    }

    fn forward(&self, node: Node) {
        self.inside(node, || async {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("root");
            std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").expect("root");
        });
    }

    /// The name of a machine's namespace.
    pub fn namespace(&self, node: Node) -> String {
        self.node(node)
    }

    fn node(&self, node: Node) -> String {
        let letter = match node {
            Node::Client => 'c',
            Node::Router => 'r',
            Node::Inner => 'i',
            Node::Server => 's',
        };
        format!("{}{letter}", self.name)
    }

    /// Runs lines of `ip` on one machine.
    pub fn ip(&self, node: Node, lines: &str) {
        feed(Command::new("ip").args(["-n", &self.node(node), "-batch", "-"]), lines);
    }

    /// Loads one nftables rule into a hook (`input`, `forward` or `output`) of one machine.
    pub fn rule(&self, node: Node, hook: &str, rule: &str) {
        self.rules(node, &[(hook, rule)]);
    }

    /// Loads nftables rules, each into a hook of its own.
    pub fn rules(&self, node: Node, rules: &[(&str, &str)]) {
        let chains: Vec<String> =
            rules.iter().map(|(hook, rule)| format!("type filter hook {hook} priority 0;\n {rule}")).collect();
        self.nft(node, &chains);
    }

    /// Loads one nftables rule that translates the addresses of what arrives at one machine.
    pub fn nat(&self, node: Node, rule: &str) {
        self.nft(node, &[format!("type nat hook prerouting priority -100;\n {rule}")]);
    }

    /// Loads one nftables rule that sees packets before a router does anything with them.
    pub fn early_rule(&self, node: Node, rule: &str) {
        self.nft(node, &[format!("type filter hook prerouting priority -300;\n {rule}")]);
    }

    fn nft(&self, node: Node, chains: &[String]) {
        let chains = chains.iter().enumerate().map(|(at, chain)| format!(" chain c{at} {{\n {chain}\n }}\n"));
        let nft = super::daemon::program("nft", "nftables");
        feed(
            Command::new("ip").args(["netns", "exec", &self.node(node)]).arg(nft).args(["-f", "-"]),
            &format!("table inet t {{\n{}}}\n", chains.collect::<String>()),
        );
    }

    /// A program to be started on one machine.
    pub fn program(&self, node: Node, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.node(node)]).arg(program);
        command
    }

    /// A listening socket on one machine; the kernel completes connections to it.
    pub fn listen(&self, node: Node, address: &str) -> TcpListener {
        self.listen_on(node, address, 0)
    }

    /// [`Self::listen`] on this port.
    pub fn listen_on(&self, node: Node, address: &str, port: u16) -> TcpListener {
        let address = SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port);
        self.inside(node, move || async move { TcpListener::bind(address).expect("a free port") })
    }

    /// Runs a future on one machine. Sockets stay on the machine on which they were made.
    ///
    /// # Panics
    /// Where the work panics.
    pub fn inside<T: Send, F: Future<Output = T>>(&self, node: Node, work: impl FnOnce() -> F + Send) -> T {
        let path = format!("/run/netns/{}", self.node(node));
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let namespace = std::fs::File::open(path).expect("a namespace of ours");
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("root");
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(work())
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

fn feed(command: &mut Command, input: &str) {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("iproute2");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("a reader");
    let output = child.wait_with_output().expect("a child of ours");
    assert!(output.status.success(), "{command:?} < {input}:\n{}", String::from_utf8_lossy(&output.stderr));
}
