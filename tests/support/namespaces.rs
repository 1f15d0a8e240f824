//! A small network in Linux namespaces: client, router, server. Made by a test (as root), gone when dropped.

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

/// One machine of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Client,
    Router,
    Server,
}

/// client (`10.9.1.2`) - router (`10.9.1.1`, `10.9.2.1`) - server (`10.9.2.2`), and the same in IPv6.
pub struct Network {
    name: String,
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in [Node::Client, Node::Router, Node::Server] {
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
        network.inside(Node::Router, || async {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("root");
            std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").expect("root");
        });
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

    /// The name of a machine's namespace.
    pub fn namespace(&self, node: Node) -> String {
        self.node(node)
    }

    fn node(&self, node: Node) -> String {
        let letter = match node {
            Node::Client => 'c',
            Node::Router => 'r',
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
        let address = SocketAddr::new(address.parse::<IpAddr>().expect("an address"), 0);
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
