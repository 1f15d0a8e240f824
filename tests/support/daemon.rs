//! Real servers from their Debian packages: started by the test, on free ports, stopped at its end.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server with its folder; both go when it is dropped.
pub struct Daemon {
    pub folder: TempDir,
    child: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The whole group: some servers are several processes.
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGTERM);
            let deadline = Instant::now() + Duration::from_secs(5);
            while Instant::now() < deadline {
                if matches!(self.child.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// The path of a server's program.
///
/// # Panics
/// Where the program is missing; the message names the Debian package.
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin:/usr/lib/squid";
    path.split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(|candidate| candidate.exists())
        .unwrap_or_else(|| panic!("`{name}` is not on this machine: install the Debian package `{package}`"))
}

/// Starts a server in its own process group; its output goes to `log` in its folder.
pub fn start(command: &mut Command, folder: TempDir) -> Daemon {
    use std::os::unix::process::CommandExt;
    let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    Daemon { folder, child }
}

impl Daemon {
    /// Waits until the server accepts connections on the port.
    ///
    /// # Panics
    /// Where it ends instead, or does not within 20 seconds; the message holds its log.
    pub fn wait_for_tcp(&mut self, port: u16) {
        self.wait_until("accept a connection", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Waits until `ready` says so.
    ///
    /// # Panics
    /// Where the server ends instead, or is not ready within 20 seconds; the message holds its log.
    pub fn wait_until(&mut self, what: &str, ready: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !ready() {
            let ended = self.child.try_wait().expect("a child of ours");
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "the server ended ({ended:?}) before it could {what}:\n{}", log());
            assert!(Instant::now() < deadline, "the server did not {what} in time:\n{}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
pub fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map(|a: SocketAddr| a.port()).expect("a free port")
}

/// A UDP port of 127.0.0.1 that was free a moment ago.
pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map(|a: SocketAddr| a.port()).expect("a free port")
}

/// A port of 127.0.0.1 that is free for UDP and TCP, below those that the system hands out, so that no socket of another
/// test takes it before the server does. Each call gives another one.
pub fn free_fixed_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    // Test binaries that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    std::iter::repeat_with(|| begin.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % 20_000 + 10_000)
        .take(1000)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok() && TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
