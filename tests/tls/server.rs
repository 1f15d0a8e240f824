//! Real TLS servers for tests, and one conversation with them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bothways::model::ask::{Ask, TlsExpectation};
use bothways::model::fact::Fact;
use bothways::model::probe::{Http, Probe};
use serde_json::Value;

use super::authority::Issued;
use crate::support::daemon::{Daemon, free_tcp_port, program, start};
use crate::support::{Seen, ask, run_within};

/// nginx on 127.0.0.1 and, where it has it, on `[::1]`; `more` goes into its `server` block.
pub fn nginx(issued: &Issued, more: &str) -> (Daemon, u16) {
    nginx_listening(Some(issued), "ssl", more)
}

/// nginx that speaks plain HTTP.
pub fn nginx_plain() -> (Daemon, u16) {
    nginx_listening(None, "", "")
}

fn nginx_listening(issued: Option<&Issued>, how: &str, more: &str) -> (Daemon, u16) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let certificate = issued.map_or(String::new(), |issued| {
        write(at, issued);
        format!("ssl_certificate {0}/server.pem; ssl_certificate_key {0}/server.key;", at.display())
    });
    let port = free_tcp_port();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", at.display()))
        .concat();
    let text = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{ access_log off;\n{temporary}\
         server {{ listen 127.0.0.1:{port} {how}; listen [::1]:{port} {how}; {certificate} {more} location / {{ return 200 hello; }} }} }}\n",
        at.display()
    );
    std::fs::write(at.join("nginx.conf"), text).expect("written");
    let mut command = Command::new(program("nginx", "nginx-light"));
    command.arg("-c").arg(at.join("nginx.conf")).arg("-e").arg(at.join("error.log"));
    let mut daemon = start(&mut command, folder);
    daemon.wait_for_tcp(port);
    (daemon, port)
}

/// `openssl s_server`, which serves one connection at a time.
pub fn s_server(issued: &Issued, arguments: &[&str]) -> (Daemon, u16) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), issued);
    let port = free_tcp_port();
    let mut command = Command::new(program("openssl", "openssl"));
    command
        .args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")])
        .arg("-cert")
        .arg(folder.path().join("server.pem"))
        .arg("-cert_chain")
        .arg(folder.path().join("server.pem"))
        .arg("-key")
        .arg(folder.path().join("server.key"))
        .args(arguments);
    let mut daemon = start(&mut command, folder);
    daemon.wait_for_tcp(port);
    (daemon, port)
}

fn write(folder: &Path, issued: &Issued) {
    std::fs::write(folder.join("server.pem"), &issued.pem).expect("written");
    std::fs::write(folder.join("server.key"), &issued.key).expect("written");
}

/// A question over HTTPS to a port on 127.0.0.1.
pub fn https(port: u16, tls: TlsExpectation) -> Ask {
    Ask { tls, ..ask(Probe::Http(Http { https: Some(true), ..Http::default() }), port) }
}

/// Asks for a page, for at most ten seconds: every handshake fits in, the platform's second opinion included.
pub async fn converse(ask: &Ask) -> Seen {
    run_within(ask, &[], Duration::from_secs(10)).await
}

/// What nginx with this certificate is judged to be.
pub async fn present(issued: &Issued, tls: TlsExpectation) -> Seen {
    let (_daemon, port) = nginx(issued, "");
    converse(&https(port, tls)).await
}

/// The decisive fault: the certificate's place and the word.
pub fn fault(seen: &Seen) -> (u64, String) {
    let list = seen.evidence.fact(Fact::TlsFault).cloned().unwrap_or(Value::Null);
    let number = list[0]["certificate"].as_u64().unwrap_or(u64::MAX);
    (number, list[0]["what"].as_str().unwrap_or_default().to_owned())
}
