//! A scenario's machines as network namespaces, with links, addresses, routes and firewalls; gone when dropped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::enter;
use crate::scenario::Hook;
use crate::topology::{Machine, Plan};

/// The namespaces of one scenario.
pub struct Network {
    /// What is written for this scenario is in here.
    pub folder: PathBuf,
    prefix: String,
    names: Vec<String>,
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Network {
    /// # Errors
    /// What the system says where the network can't be made.
    pub fn new(plan: &Plan) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("lab{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(enter::FOLDER).join(&prefix);
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut network = Self { folder, prefix, names: Vec::new() };
        network.names = plan.machines.iter().map(|machine| network.namespace(&machine.name)).collect();
        network.names.push(network.namespace("switch"));
        let batch = lines("netns add", &network.names);
        feed(Command::new("ip").args(["-batch", "-"]), &(batch + &network.links(plan)))?;
        for machine in &plan.machines {
            network.furnish(machine)?;
        }
        Ok(network)
    }

    fn namespace(&self, machine: &str) -> String {
        format!("{}-{machine}", self.prefix)
    }

    /// Two machines have a cable between them, more of them a switch.
    fn links(&self, plan: &Plan) -> String {
        let mut batch = String::new();
        let switch = self.namespace("switch");
        for (at, (name, members)) in plan.networks().into_iter().enumerate() {
            if let [one, other] = members[..] {
                let (one, other) = (self.namespace(one), self.namespace(other));
                let _ = writeln!(batch, "link add {name} netns {one} type veth peer name {name} netns {other}");
                continue;
            }
            let _ = writeln!(batch, "link add br{at} netns {switch} type bridge");
            for (port, member) in members.into_iter().enumerate() {
                let member = self.namespace(member);
                let plug = format!("p{at}-{port}");
                let _ = writeln!(batch, "link add {name} netns {member} type veth peer name {plug} netns {switch}");
            }
        }
        batch
    }

    fn furnish(&self, machine: &Machine) -> Result<(), String> {
        let on = u8::from(machine.forwards());
        self.sysctl(&machine.name, "net.ipv4.ip_forward", &on.to_string())?;
        self.sysctl(&machine.name, "net.ipv6.conf.all.forwarding", &on.to_string())?;
        let mut lines = "link set lo up\n".to_owned();
        for interface in &machine.interfaces {
            let name = &interface.network;
            // Else the link-local address is unusable, and with it neighbour discovery, for a second or two.
            self.sysctl(&machine.name, &format!("net.ipv6.conf.{name}.accept_dad"), "0")?;
            let _ = writeln!(lines, "link set {name} up");
            for (address, length) in &interface.addresses {
                let nodad = if address.is_ipv6() { " nodad" } else { "" };
                let _ = writeln!(lines, "addr add {address}/{length} dev {name}{nodad}");
            }
        }
        for (destination, via) in &machine.routes {
            let _ = writeln!(lines, "route add {destination} via {via}");
        }
        self.ip(&machine.name, &lines)
    }

    /// Plugs the switches' cables in.
    ///
    /// # Errors
    /// What the system says.
    pub fn switch_on(&self, plan: &Plan) -> Result<(), String> {
        let mut lines = String::new();
        for (at, (_, members)) in plan.networks().into_iter().enumerate().filter(|(_, (_, all))| all.len() != 2) {
            let _ = writeln!(lines, "link set br{at} up");
            for port in 0..members.len() {
                let _ = writeln!(lines, "link set p{at}-{port} master br{at} up");
            }
        }
        self.ip("switch", &lines)
    }

    /// Sets a kernel's value for one machine.
    ///
    /// # Errors
    /// There is no such value.
    pub fn sysctl(&self, machine: &str, name: &str, value: &str) -> Result<(), String> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.inside(machine, || std::fs::write(&path, value).map_err(|error| format!("{name}: {error}")))?
    }

    /// Runs lines of `ip` on one machine.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn ip(&self, machine: &str, lines: &str) -> Result<(), String> {
        feed(Command::new("ip").args(["-n", &self.namespace(machine), "-batch", "-"]), lines)
    }

    /// Loads a machine's rules, each list as a chain in its hook.
    ///
    /// # Errors
    /// What `nft` says.
    pub fn rules(&self, machine: &str, hooks: &BTreeMap<Hook, Vec<String>>) -> Result<(), String> {
        let mut text = "table inet lab {\n".to_owned();
        for (at, (hook, rules)) in hooks.iter().enumerate() {
            let _ = writeln!(text, "chain c{at} {{\n{}\n{}\n}}", hook.line(), rules.join("\n"));
        }
        self.ruleset(machine, &(text + "}\n"))
    }

    /// Loads an nftables ruleset on one machine.
    ///
    /// # Errors
    /// What `nft` says.
    pub fn ruleset(&self, machine: &str, text: &str) -> Result<(), String> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(machine), "nft", "-f", "-"]).env("PATH", enter::path());
        feed(&mut command, text)
    }

    /// Runs a piece of work on one machine, in a thread of its own.
    ///
    /// # Errors
    /// The machine is not there.
    pub fn inside<T: Send>(&self, machine: &str, work: impl FnOnce() -> T + Send) -> Result<T, String> {
        let path = format!("/run/netns/{}", self.namespace(machine));
        let namespace = std::fs::File::open(&path).map_err(|error| format!("{path}: {error}"))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|error| format!("{path}: {error}"))?;
                Ok(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a program on one machine, with the machine's own name service.
    ///
    /// # Errors
    /// It does not start.
    pub fn spawn(&self, machine: &str, command: &mut Command) -> Result<Child, String> {
        let files: Vec<(PathBuf, &str)> = ["/etc/resolv.conf", "/etc/hosts"]
            .into_iter()
            .map(|target| (self.etc(machine).join(target.trim_start_matches("/etc/")), target))
            .collect();
        self.inside(machine, move || {
            // What is started from this thread stays in its namespaces.
            unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("unshare: {error}"))?;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(|error| format!("mount: {error}"))?;
            for (file, target) in files {
                let bound = mount(Some(&file), target, None::<&str>, MsFlags::MS_BIND, None::<&str>);
                bound.map_err(|error| format!("{target}: {error}"))?;
            }
            // Where it is refused, /sys shows another machine's interfaces, which nothing here reads.
            let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>);
            command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))
        })?
    }

    /// Says what the machine's name service knows.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn name_service(&self, machine: &str, hosts: &[String], servers: &[String]) -> Result<(), String> {
        let folder = self.etc(machine);
        let hosts = format!("127.0.0.1 localhost\n::1 localhost\n{}\n", hosts.join("\n"));
        let servers = lines("nameserver", servers);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("hosts"), hosts))
            .and_then(|()| std::fs::write(folder.join("resolv.conf"), servers))
            .map_err(|error| format!("{}: {error}", folder.display()))
    }

    fn etc(&self, machine: &str) -> PathBuf {
        self.folder.join("etc").join(machine)
    }
}

fn lines(word: &str, values: &[String]) -> String {
    values.iter().fold(String::new(), |text, value| text + word + " " + value + "\n")
}

/// Runs a program with this input.
fn feed(command: &mut Command, input: &str) -> Result<(), String> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let output = spawned.and_then(|mut child| {
        // A program that ends early says why itself.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
        child.wait_with_output()
    });
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}\n{input}\n{}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
