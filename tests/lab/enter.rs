//! The surroundings of the lab: namespaces of its own, so that nothing of it outlives it, whatever ends it.
//!
//! As root, and else in a user namespace where one is to be had. Everything that the lab makes (network namespaces, files,
//! processes) belongs to these namespaces and goes with them.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};

/// Set inside of the namespaces.
const INSIDE: &str = "BOTHWAYS_LAB_INSIDE";

/// Everything that the lab writes is below this folder.
pub const FOLDER: &str = "/run/lab";

/// Whether the lab can be run here.
pub enum Place {
    Inside,
    Impossible,
}

/// Goes into the lab's namespaces: this program begins again there, and what is returned is returned there.
///
/// # Panics
/// Where the namespaces are there, but can't be furnished.
pub fn enter() -> Place {
    if std::env::var_os(INSIDE).is_some() {
        furnish();
        end_on_a_signal();
        return Place::Inside;
    }
    let shared = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let owns: [&[&str]; 3] = [&[], &["--user", "--map-root-user", "--map-auto"], &["--user", "--map-root-user"]];
    let root = nix::unistd::geteuid().is_root();
    for own in &owns[usize::from(!root)..] {
        let way = [own, &shared[..]].concat();
        if works(&way) {
            let program = std::env::current_exe().expect("this program has a path");
            let error = Command::new("unshare")
                .args(&way)
                .arg(program)
                .args(std::env::args_os().skip(1))
                .env(INSIDE, "1")
                .exec();
            panic!("unshare: {error}");
        }
    }
    Place::Impossible
}

/// Whether a network can be made in such namespaces.
fn works(way: &[&str]) -> bool {
    let try_it = "mount -t tmpfs none /run && ip netns add lab && echo 'add table inet t' | nft -f -";
    let mut command = Command::new("unshare");
    command.args(way).args(["sh", "-c", try_it]).env("PATH", path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where programs are looked for: Debian keeps servers where users don't look, and `tests/lab/run` unpacks one.
pub fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin:/usr/lib/squid:{}/target/lab/usr/sbin", env!("CARGO_MANIFEST_DIR"))
}

/// Whether there are users besides root: not in a user namespace that only its maker is in.
pub fn has_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let numbers = map.lines().filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
    numbers.sum::<u64>() > 1
}

fn furnish() {
    // Squid keeps what its processes share in the second one.
    for folder in ["/run", "/dev/shm"] {
        mount(Some("none"), folder, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("a folder of our own");
    }
    std::fs::create_dir_all(FOLDER).expect("a folder");
    // A file to be bound over, where `/etc/resolv.conf` points into what /run was before.
    if let Ok(target) = std::fs::read_link("/etc/resolv.conf") {
        let target = Path::new("/etc").join(target);
        if !target.exists() {
            let _ = target.parent().map(std::fs::create_dir_all);
            let _ = std::fs::write(target, "");
        }
    }
    // The first one prepares the folder of named namespaces, which several at once can't.
    let made = Command::new("ip").args(["netns", "add", "first"]).status();
    assert!(made.is_ok_and(|status| status.success()), "ip netns add does not work");
}

/// As the first process of its namespace this one is spared by signals that it does not ask for.
fn end_on_a_signal() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut terminated =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a handler");
            tokio::select! {
                _ = tokio::signal::ctrl_c() => (),
                _ = terminated.recv() => (),
            }
            std::process::exit(130);
        });
    });
}
