//! The control channel between two real programs: how it ends, what breaks it, and what the run makes of that.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::both_sides::pair::verdict;
use crate::support::namespaces::{Network, Node, SERVER};

const PATIENCE: Duration = Duration::from_secs(60);

fn program(network: &Network, node: Node, arguments: &[&str]) -> Command {
    let mut command = network.program(node, env!("CARGO_BIN_EXE_bothways"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

/// A listener on the server's machine with its join code.
fn listen(network: &Network, more: &[&str]) -> (Child, String) {
    let arguments = ["listen", "miradore", "--side", "server", "--control-port", "7443"];
    let mut child = program(network, Node::Server, &[&arguments[..], more].concat()).spawn().expect("it starts");
    let mut code = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut code).expect("a line");
    (child, code.trim().to_owned())
}

/// A check on the client's machine that joins.
fn join(network: &Network, code: &str, more: &[&str]) -> Child {
    let host = format!("server.host={SERVER}");
    let arguments = ["check", "miradore", "--side", "client", "--set", &host, "--format", "json", "--join", code];
    program(network, Node::Client, &[&arguments[..], more].concat()).spawn().expect("it starts")
}

fn end(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a process")), signal).expect("it runs");
}

/// The record that a check wrote, and how it ended.
fn ended(child: Child) -> (Value, Option<i32>) {
    let output = child.wait_with_output().expect("it ends");
    let record = serde_json::from_slice(&output.stdout);
    (record.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))), output.status.code())
}

/// Waits until the listener says a text.
fn wait_for(listener: &mut Child, text: &str) {
    let mut lines = BufReader::new(listener.stderr.as_mut().expect("piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains(text))), "it never said `{text}`");
}

/// Waits until so many conversations on port 80 have ended, on whichever side the system remembers them (`TIME_WAIT`).
fn wait_for_ended_conversations(network: &Network, many: usize) {
    let ended = |node: Node| {
        let table = network.inside(node, || async { std::fs::read_to_string("/proc/thread-self/net/tcp") });
        let lines = table.expect("a table");
        lines.lines().filter(|line| line.contains(":0050 ") && line.split_whitespace().nth(3) == Some("06")).count()
    };
    let deadline = Instant::now() + PATIENCE;
    while ended(Node::Client) + ended(Node::Server) < many {
        assert!(Instant::now() < deadline, "no conversation has ended");
        std::thread::yield_now();
    }
}

fn kept(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.map(|path| serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("a record")).collect()
}

/// Some check that goes on for longer than the test takes: the WebSocket stays idle.
fn slow(folder: &Path) -> String {
    let path = folder.join("slow.yaml");
    let text = "extends: miradore\nchecks: { wake-up-websocket: { timeout: 50s, probe: { websocket: { path: /, hold: 40s } } } }\n\
         settings: { deadline: 60s }\n";
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn join_slowly(network: &Network, code: &str, profile: &str) -> Child {
    let host = format!("server.host={SERVER}");
    let arguments = ["check", profile, "--side", "client", "--set", &host, "--format", "json", "--join", code];
    program(network, Node::Client, &arguments).spawn().expect("it starts")
}

#[test]
fn sigterm_ends_a_listener_like_ctrl_c_and_the_runs_under_way_are_kept_on_both_sides() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
        let collected = tempfile::tempdir().expect("a folder");
        let (mut listener, code) = listen(&network, &["--collect", &collected.path().display().to_string()]);
        let check = join_slowly(&network, &code, &slow(folder.path()));
        wait_for(&mut listener, "has joined");
        wait_for_ended_conversations(&network, 2);
        end(&listener, signal);
        assert_eq!(listener.wait().expect("it ends").code(), Some(0), "{signal}");
        let records = kept(collected.path());
        assert_eq!(records.len(), 1, "{signal}");
        assert_eq!(records[0]["run"]["peer"]["side"], serde_json::json!(["client"]));
        let (record, _) = ended(check);
        assert_eq!(verdict(&record, "job-query"), "pass ok -", "{signal}");
    }
}

#[test]
fn sigterm_ends_a_joined_check_like_ctrl_c_with_its_record() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let (mut listener, code) = listen(&network, &[]);
    let check = join_slowly(&network, &code, &slow(folder.path()));
    wait_for(&mut listener, "has joined");
    end(&check, Signal::SIGTERM);
    let (record, code) = ended(check);
    assert_eq!(record["run"]["cut_short"], "interrupted", "{record:#}");
    assert_ne!(code, Some(130), "it ended in order");
    end(&listener, Signal::SIGTERM);
    listener.wait().expect("it ends");
}

#[test]
fn a_check_whose_listener_is_killed_still_tells_what_it_found_itself() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("short.yaml");
    let text = "extends: miradore\nchecks: { job-query: { timeout: 8s, probe: { http: { path: / } } } }\n";
    std::fs::write(&path, text).expect("written");
    // What the router swallows keeps the check busy until the listener is gone.
    network.rule(Node::Router, "forward", "tcp dport 80 drop");
    let (mut listener, code) = listen(&network, &[]);
    let host = format!("server.host={SERVER}");
    let arguments = ["check", &path.display().to_string(), "--side", "client", "--set", &host, "--format", "json"];
    let more = ["--only", "job-query,wake-up-tcp", "--join", &code];
    // The listener's own flow hangs as well: nothing of it has been told when it ends.
    let check = program(&network, Node::Client, &[&arguments[..], &more].concat()).spawn().expect("it starts");
    wait_for(&mut listener, "has joined");
    listener.kill().expect("it runs");
    listener.wait().expect("it ends");
    let output = check.wait_with_output().expect("it ends");
    let record: Value = serde_json::from_slice(&output.stdout).expect("a record");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(verdict(&record, "job-query").starts_with("fail dropped"), "{record:#}");
    let outcomes = record["outcomes"].as_array().expect("outcomes");
    let wake_up = outcomes.iter().find(|outcome| outcome["check"] == "wake-up-tcp").expect("listed");
    // It may have been told before, or the listener have gone before it took the check in.
    let lost = wake_up["status"] == "unknown" && wake_up["sentence"].as_str().expect("text").contains("was lost");
    assert!(lost || wake_up["status"] == "pass" || said.contains("the control channel broke"), "{wake_up:#}\n{said}");
}

#[test]
fn a_channel_whose_packets_vanish_midway_ends_the_waiting_and_not_the_run() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let (mut listener, code) = listen(&network, &[]);
    let path = folder.path().join("held.yaml");
    let text = "extends: miradore\nchecks: { wake-up-websocket: { timeout: 20s, probe: { websocket: { path: /, hold: 4s } } } }\n";
    std::fs::write(&path, text).expect("written");
    let check = join_slowly(&network, &code, &path.display().to_string());
    wait_for(&mut listener, "has joined");
    network.rule(Node::Router, "forward", "tcp dport 7443 drop");
    let began = Instant::now();
    let (record, _) = ended(check);
    assert!(began.elapsed() < PATIENCE, "it waits for ever");
    assert_eq!(verdict(&record, "job-query"), "pass ok -");
    assert_eq!(verdict(&record, "wake-up-websocket"), "pass ok -");
    end(&listener, Signal::SIGTERM);
    listener.wait().expect("it ends");
}

#[test]
fn a_code_expires_by_the_listeners_clock_alone() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let network = Network::new();
    let (listener, code) = listen(&network, &[]);
    // As a machine sees it whose clock is years ahead.
    let mut bytes = URL_SAFE_NO_PAD.decode(code.strip_prefix("bothways1.").expect("a code")).expect("a code");
    bytes[..8].copy_from_slice(&1_000_000_000_u64.to_be_bytes());
    let old = format!("bothways1.{}", URL_SAFE_NO_PAD.encode(bytes));
    let (record, _) = ended(join(&network, &old, &["--only", "job-query"]));
    assert_eq!(record["run"]["peer"]["side"], serde_json::json!(["server"]), "{record:#}");
    let (mut expired, code) = (listener, listen_shortly(&network));
    end(&expired, Signal::SIGTERM);
    expired.wait().expect("it ends");
    let output = join(&network, &code.1, &[]).wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has expired"));
    let mut listener = code.0;
    end(&listener, Signal::SIGTERM);
    listener.wait().expect("it ends");
}

/// A listener on another port whose code is good for a moment only.
fn listen_shortly(network: &Network) -> (Child, String) {
    let arguments = ["listen", "miradore", "--side", "boot-server", "--control-port", "7444", "--expires", "1ms"];
    let mut child = program(network, Node::Server, &arguments).spawn().expect("it starts");
    let mut code = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut code).expect("a line");
    (child, code.trim().to_owned())
}
