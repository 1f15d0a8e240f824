//! A listener on one machine of a network and a check that joins it from another.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::namespaces::{Network, Node};

/// A `bothways listen` that is listening.
pub struct Listener {
    child: Child,
    pub code: String,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listener {
    /// Ends it by a signal, and waits until it has kept what it has to keep.
    ///
    /// # Panics
    /// Where it has ended by itself.
    pub fn end(mut self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).expect("a process")), signal).expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// What it has in memory.
    ///
    /// # Panics
    /// Where it has ended.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a running program has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }
}

/// The program on one of the machines.
pub fn program(network: &Network, node: Node) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &network.namespace(node)]).arg(env!("CARGO_BIN_EXE_bothways"));
    command.env_remove("HTTP_PROXY").env_remove("HTTPS_PROXY").env_remove("NO_PROXY");
    command
}

/// Starts a listener; its join code is the first line that it prints.
///
/// # Panics
/// Where it prints none.
pub fn listen(network: &Network, node: Node, arguments: &[&str]) -> Listener {
    let mut child = program(network, node)
        .args(["listen", "miradore"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut code = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut code).expect("a line");
    assert!(code.starts_with("bothways1."), "no join code: {code:?}");
    Listener { child, code: code.trim().to_owned() }
}

/// Runs a check that joins the listener; its record.
///
/// # Panics
/// Where it prints no record.
pub fn check(network: &Network, node: Node, listener: &Listener, arguments: &[&str]) -> Value {
    let output = program(network, node)
        .args(["check", "miradore", "--format", "json", "--join", &listener.code])
        .args(arguments)
        .output()
        .expect("the program runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "no record ({error}): {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// `status code lost` of a check's tested outcome, as one text.
///
/// # Panics
/// Where the record has no tested outcome of that check.
pub fn verdict(record: &Value, check: &str) -> String {
    let outcomes = record["outcomes"].as_array().expect("outcomes");
    let tested = |outcome: &&Value| outcome["check"] == check && !outcome["tested_from"].is_null();
    let outcome = outcomes.iter().find(tested).unwrap_or_else(|| panic!("{check} was not tested: {record:#}"));
    let word = |key: &str| outcome[key].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", word("status"), word("code"), word("lost"))
}
