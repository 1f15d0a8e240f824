//! A name server on this machine.

use std::ffi::OsStr;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::daemon::{Daemon, free_fixed_port, program, start};

/// dnsmasq on 127.0.0.1 with these arguments, which knows no other names below `example.test`.
pub fn dnsmasq<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> (Daemon, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_fixed_port();
    let mut command = Command::new(program("dnsmasq", "dnsmasq-base"));
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root", "--no-resolv"]);
    command.args(["--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1", "--local=/example.test/"]);
    let mut daemon = start(command.args(arguments).arg(format!("--port={port}")), folder);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    // A question for the root's name servers; any answer will do.
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01";
    daemon.wait_until("answer a question", || {
        socket.send_to(question, ("127.0.0.1", port)).is_ok() && socket.recv_from(&mut [0; 600]).is_ok()
    });
    (daemon, SocketAddr::from(([127, 0, 0, 1], port)))
}
