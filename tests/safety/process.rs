//! The whole program under pressure: its memory, and what it does when it runs out of descriptors.

use std::process::Command;

use bothways::model::token::Token;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::support::daemon::{self, Daemon};
use crate::support::hostile::garbage;

/// `bothways demo` whose responders go on after it.
struct Demo(Daemon);

impl Demo {
    /// `limits` are words for the shell's `ulimit`.
    fn start(limits: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_bothways");
        command.arg("-c").arg(format!("ulimit {limits}; exec '{program}' demo --serve"));
        let mut daemon = daemon::start(&mut command, folder);
        let ready = move || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("until Ctrl-C"));
        daemon.wait_until("end the demo", ready);
        Self(daemon)
    }

    /// Where the responder of an endpoint listens.
    fn address(&self, endpoint: &str) -> SocketAddr {
        let log = std::fs::read_to_string(self.0.path("log")).expect("a log");
        let words = log.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let port = words.filter(|words| words.first() == Some(&endpoint)).find_map(|words| words.get(2)?.parse().ok());
        SocketAddr::from((PEER, port.unwrap_or_else(|| panic!("no port of {endpoint} in:\n{log}"))))
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).expect("a running process")
    }

    fn resident_bytes(&self) -> u64 {
        self.file("statm").split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
    }

    /// Time on the processor, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = self.file("stat");
        let after_name = stat.rsplit_once(") ").expect("a name").1;
        after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).expect("a running process").count()
    }
}

/// Whether the plain TCP responder greets.
async fn greets(at: SocketAddr) -> bool {
    let mut stream = connect(PEER, at).await;
    let mut greeting = [0; Token::GREETING.len()];
    let read = tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut greeting)).await;
    matches!(read, Ok(Ok(_))) && greeting == Token::GREETING.as_bytes()
}

#[tokio::test]
async fn memory_stays_bounded_under_garbage_floods_and_waiting_peers() {
    let demo = tokio::task::spawn_blocking(|| Demo::start("-n 1024")).await.expect("it starts");
    let before = demo.resident_bytes();
    let (nonsense, mut held) = (garbage().repeat(500), Vec::new());
    for round in 0..20 {
        for endpoint in ["server", "server-http", "client", "sql-server", "installation-point"] {
            let at = demo.address(endpoint);
            let mut stream = connect(PEER, at).await;
            let sending = stream.write_all(if round % 2 == 0 { &nonsense } else { b"GET / HTTP/1.1\r\nX: " });
            let _ = tokio::time::timeout(PATIENCE, sending).await.expect("it is read, or closed");
            held.push(stream);
            assert_eq!(said(&mut connect(STRANGER, at).await).await, b"");
        }
    }
    let grown = demo.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more than before");
    drop(held);
    assert!(greets(demo.address("client")).await);
}

#[tokio::test]
async fn without_descriptors_left_it_waits_without_spinning_and_then_serves_again() {
    let demo = tokio::task::spawn_blocking(|| Demo::start("-n 80")).await.expect("it starts");
    let at = demo.address("client");
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(connect(PEER, at).await);
    }
    let deadline = Instant::now() + PATIENCE;
    while demo.descriptors() < 80 {
        assert!(Instant::now() < deadline, "{} descriptors are in use", demo.descriptors());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = demo.ticks();
    assert!(!greets(at).await, "there is a descriptor left");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let spent = demo.ticks() - before;
    assert!(spent < 20, "{spent} hundredths of a second on the processor while there was nothing to do");
    drop(held);
    while !greets(at).await {
        assert!(Instant::now() < deadline, "it does not serve again");
    }
}
