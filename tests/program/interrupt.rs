//! Ctrl-C while checks hang: the record is written all the same.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::model::run::CutShort;

use super::{outcomes, record};
use crate::cli::{bothways, read};

/// Takes one TLS hello and holds the connection until it is let go by the other side.
fn mute() -> (u16, JoinHandle<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let length = stream.read(&mut [0; 4096]).expect("a hello");
        assert!(length > 0);
        stream
    });
    (port, heard)
}

fn start(sets: &[String], more: &[&str]) -> Child {
    let mut command = bothways(&["check", "miradore", "--side", "client", "--side", "server", "--timeout", "5m"]);
    for set in sets {
        command.args(["--set", set]);
    }
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn ctrl_c(child: &Child) {
    let id = i32::try_from(child.id()).expect("a process");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGINT).expect("it runs");
}

fn secure(port: u16) -> Vec<String> {
    vec!["server.host=127.0.0.1".to_owned(), "server.https=true".to_owned(), format!("server.port={port}")]
}

#[test]
fn ctrl_c_writes_the_record_and_ends_with_3_where_nothing_failed() {
    let (port, heard) = mute();
    let child = start(&secure(port), &["--only", "job-query", "--format", "json"]);
    let held = heard.join().expect("it came");
    ctrl_c(&child);
    let (out, err, code) = read(&child.wait_with_output().expect("it ends"));
    drop(held);
    assert_eq!((err.as_str(), code), ("", 3));
    let run = record(&out);
    assert_eq!(run.run.cut_short, Some(CutShort::Interrupted));
    let hung = outcomes(&run, "job-query")[0];
    assert_eq!((hung.status, hung.code), (Status::Unknown, Code::TimedOut));
    assert!(hung.sentence.contains("in the TLS handshake"), "{}", hung.sentence);
}

#[test]
fn ctrl_c_shows_people_what_is_known() {
    let (port, heard) = mute();
    let child = start(&secure(port), &["--only", "job-query"]);
    let held = heard.join().expect("it came");
    ctrl_c(&child);
    let (out, _, code) = read(&child.wait_with_output().expect("it ends"));
    drop(held);
    assert_eq!(code, 3);
    assert!(out.contains("The run was stopped before every check had ended."), "{out}");
    assert_eq!(out.lines().last(), Some("1 flow could not be decided: job-query."));
}

#[test]
fn ctrl_c_after_a_failure_ends_with_1() {
    let (port, heard) = mute();
    // Resets at once, both times that it is tried.
    let resetting = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let reset = resetting.local_addr().expect("bound").port();
    let client = vec!["client.host=127.0.0.1".to_owned(), format!("client.port={reset}")];
    let arguments = ["--only", "job-query", "--only", "wake-up-tcp", "--format", "json"];
    let child = start(&[secure(port), client].concat(), &arguments);
    let held = heard.join().expect("it came");
    for _ in 0..2 {
        let (stream, _) = resetting.accept().expect("a connection");
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
    }
    ctrl_c(&child);
    let (out, _, code) = read(&child.wait_with_output().expect("it ends"));
    drop(held);
    let run = record(&out);
    assert_eq!(outcomes(&run, "job-query")[0].status, Status::Unknown);
    assert_eq!(outcomes(&run, "wake-up-tcp")[0].code, Code::ResetAfterConnect);
    assert_eq!((run.status, code), (Status::Fail, 1));
}
