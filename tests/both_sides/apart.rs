//! Three machines that no control channel joins: each keeps its record, and the word that all were told joins them afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::pair::{Listener, listen, program, verdict};
use crate::support::namespaces::{CLIENT, Network, Node, SERVER};

/// The router is also the boot server here: a machine of its own beside the two sides.
const BOOT: &str = "10.9.2.1";
const WORD: [&str; 2] = ["--word", "sesame"];

/// Listens for one side without a control channel, and keeps what it saw.
fn collect(network: &Network, node: Node, side: &str, hosts: &[String], folder: &Path) -> Listener {
    let folder = folder.display().to_string();
    let mut arguments = vec!["--side", side, "--control-port", "7443", "--collect", &folder];
    arguments.extend(WORD);
    arguments.extend(hosts.iter().flat_map(|host| ["--set", host]));
    listen(network, node, &arguments)
}

/// The record of a client that asks both, judged with what they saw.
fn merged(network: &Network, folder: &Path) -> Value {
    let hosts = [format!("client.host={CLIENT}"), format!("server.host={SERVER}"), format!("boot-server.host={BOOT}")];
    let runs = folder.join("runs");
    let server = collect(network, Node::Server, "server", &hosts, &runs);
    let boot = collect(network, Node::Router, "boot-server", &hosts, &runs);
    let own = folder.join("client.json");
    let mut check = program(network, Node::Client);
    check.args(["check", "miradore", "--side", "client", "--timeout", "4s", "--format", "json", "--output"]).arg(&own);
    check.args(WORD).args(hosts.iter().flat_map(|host| ["--set", host])).stdout(Stdio::null()).stderr(Stdio::null());
    check.status().expect("it runs");
    for listener in [server, boot] {
        listener.end(Signal::SIGTERM);
    }
    let kept = std::fs::read_dir(&runs).expect("a folder").map(|file| file.expect("a file").path());
    let records: Vec<PathBuf> = std::iter::once(own).chain(kept).collect();
    assert_eq!(records.len(), 3, "{records:?}");
    let output = Command::new(env!("CARGO_BIN_EXE_bothways"))
        .args(["merge", "--format", "json"])
        .args(records)
        .output()
        .expect("it runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn records_of_three_machines_tell_which_half_was_lost_on_the_way_to_each() {
    let cases = [
        (
            [("forward", "tcp dport 80 drop"), ("output", "meta l4proto udp drop")],
            ["fail dropped request", "fail tftp-transfer-port-blocked reply"],
        ),
        (
            [("forward", "tcp sport 80 drop"), ("input", "udp dport 69 drop")],
            ["fail dropped reply", "fail dropped request"],
        ),
    ];
    for (rules, wanted) in cases {
        let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
        network.rules(Node::Router, &rules);
        let record = merged(&network, folder.path());
        for (check, wanted) in ["job-query", "network-boot"].into_iter().zip(wanted) {
            assert_eq!(verdict(&record, check), wanted, "{check} behind {rules:?}: {record:#}");
        }
    }
}
