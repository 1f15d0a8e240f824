//! The probe against tftpd-hpa on loopback, and against dnsmasq and a real firewall in a network namespace.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::{Lost, Status};

use super::{asking, reading};
use crate::support::daemon::{Daemon, free_fixed_port, program, start};
use crate::support::{Seen, run, run_within};

/// Whether a TFTP server answers anything at all.
fn answers(host: &str, port: u16) -> bool {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    socket.send_to(b"\0\x01ready?\0octet\0", (host, port)).is_ok() && socket.recv_from(&mut [0; 600]).is_ok()
}

fn file(folder: &Path, name: &str, bytes: usize) {
    let path = folder.join(name);
    std::fs::write(&path, (0..=250).cycle().take(bytes).collect::<Vec<u8>>()).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("its mode");
}

fn tftpd_hpa() -> (Daemon, u16) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a root");
    file(&root, "empty", 0);
    file(&root, "exact", 4 * 512);
    file(&root, "million", 1 << 20);
    file(&root, "secret", 10);
    std::fs::set_permissions(root.join("secret"), std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let port = free_fixed_port();
    let mut command = Command::new(program("in.tftpd", "tftpd-hpa"));
    command.args(["-4", "--foreground", "--user", "root", "--address", &format!("127.0.0.1:{port}"), "--secure"]);
    let mut daemon = start(command.arg(&root), folder);
    daemon.wait_until("answer a read request", || answers("127.0.0.1", port));
    (daemon, port)
}

fn assert_read(seen: &Seen, bytes: u64) {
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(bytes));
}

#[tokio::test]
async fn a_server_without_the_file_of_the_test_proves_the_path_both_ways() {
    let (_daemon, port) = tftpd_hpa();
    let seen = run(&asking(None, port)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok));
    assert_eq!(seen.evidence.number(Fact::TftpError), Some(1));
    assert_eq!(seen.evidence.text(Fact::TftpMessage), Some("File not found"));
    assert!(!seen.evidence.holds(Fact::Echoed), "only a responder repeats the token");
    let transfer_port = seen.evidence.number(Fact::TransferPort).expect("a port");
    assert_ne!(transfer_port, u64::from(port), "a TFTP server answers from a new port");
    assert!(seen.judgement.sentence.contains(&format!("from port {transfer_port}")), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_named_file_that_is_missing_is_a_warning_and_the_network_is_fine() {
    let (_daemon, port) = tftpd_hpa();
    let seen = run(&asking(Some("boot/missing.wim"), port)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::TftpFileMissing));
    assert!(seen.judgement.sentence.contains("`boot/missing.wim`"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_file_that_the_server_may_not_hand_out_is_a_warning() {
    let (_daemon, port) = tftpd_hpa();
    let seen = run(&asking(Some("secret"), port)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::TftpAccessDenied));
    assert_eq!(seen.evidence.number(Fact::TftpError), Some(2));
}

#[tokio::test]
async fn the_start_of_a_file_tells_its_size_and_reads_one_block() {
    let (_daemon, port) = tftpd_hpa();
    let seen = run(&asking(Some("million"), port)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok));
    assert_eq!(seen.evidence.number(Fact::FileBytes), Some(1 << 20));
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(512));
}

#[tokio::test]
async fn a_whole_file_is_read_with_the_default_block_size() {
    let (_daemon, port) = tftpd_hpa();
    let seen = run(&reading("million", None, None, port)).await;
    assert_read(&seen, 1 << 20);
    assert_eq!(seen.evidence.fact(Fact::Options).and_then(|o| o["blksize"].as_str()), Some("1428"));
    assert!(seen.evidence.number(Fact::Rate).is_some_and(|rate| rate > 0));
}

#[tokio::test]
async fn a_whole_file_is_read_with_small_and_with_fragmented_blocks() {
    let (_daemon, port) = tftpd_hpa();
    for block_size in [512, 8192] {
        assert_read(&run(&reading("million", Some(block_size), None, port)).await, 1 << 20);
    }
}

#[tokio::test]
async fn a_server_that_knows_no_windows_is_read_without_them() {
    let (_daemon, port) = tftpd_hpa();
    let seen = run(&reading("million", None, Some(16), port)).await;
    assert_read(&seen, 1 << 20);
    assert_eq!(seen.evidence.fact(Fact::Options).and_then(|o| o.get("windowsize")), None);
}

#[tokio::test]
async fn an_empty_file_and_one_that_ends_with_a_full_block_are_read_to_their_end() {
    let (_daemon, port) = tftpd_hpa();
    assert_read(&run(&reading("empty", None, None, port)).await, 0);
    assert_read(&run(&reading("exact", Some(512), None, port)).await, 4 * 512);
}

/// A network namespace with one cable to this one; it goes when dropped.
struct Namespace {
    name: String,
    /// The far end's address.
    address: String,
}

impl Namespace {
    fn new(word: char) -> Self {
        let number = std::process::id() % 16_384;
        let name = format!("bw{word}{number}");
        let net = format!("10.{}.{}", 180 + word as u32 % 26, number / 64);
        let (near, far) = (number % 64 * 4 + 1, number % 64 * 4 + 2);
        let this = Self { name: name.clone(), address: format!("{net}.{far}") };
        ip(&format!("netns add {name}"));
        ip(&format!("link add {name}a type veth peer name {name}b netns {name}"));
        ip(&format!("addr add {net}.{near}/30 dev {name}a"));
        ip(&format!("link set {name}a up"));
        ip(&format!("-n {name} addr add {net}.{far}/30 dev {name}b"));
        ip(&format!("-n {name} link set {name}b up"));
        this
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Loads nftables rules for UDP that arrives.
    fn on_arrival(&self, rule: &str) {
        let script = format!("table ip t {{\n chain c {{\n type filter hook input priority 0;\n {rule}\n }}\n}}\n");
        let status = self.command(&program("nft", "nftables")).arg(script).status().expect("nft");
        assert!(status.success(), "nft takes the rule `{rule}`");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn ip(arguments: &str) {
    let status = Command::new(program("ip", "iproute2")).args(arguments.split(' ')).status().expect("ip");
    assert!(status.success(), "ip {arguments}");
}

fn dnsmasq(namespace: &Namespace) -> Daemon {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a root");
    file(&root, "million", 1 << 20);
    file(&root, "many-blocks", 8 * 65_540 + 3);
    let mut command = namespace.command(&program("dnsmasq", "dnsmasq-base"));
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root", "--port=0"]);
    let mut daemon = start(command.arg("--enable-tftp").arg(format!("--tftp-root={}", root.display())), folder);
    daemon.wait_until("answer a read request", || answers(&namespace.address, 69));
    daemon
}

#[tokio::test]
async fn dnsmasq_on_the_standard_port_is_read_whole_with_windows() {
    let namespace = Namespace::new('w');
    let _daemon = dnsmasq(&namespace);
    let mut ask = reading("million", None, Some(8), 69);
    ask.host.clone_from(&namespace.address);
    assert_read(&run(&ask).await, 1 << 20);
    let mut ask = asking(None, 69);
    ask.host.clone_from(&namespace.address);
    let seen = run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok));
    assert!(!seen.evidence.holds(Fact::Echoed), "dnsmasq repeats the file name in its message, but is no responder");
}

#[tokio::test]
async fn a_file_of_more_blocks_than_there_are_numbers_is_read_to_its_end() {
    let namespace = Namespace::new('n');
    let _daemon = dnsmasq(&namespace);
    let mut ask = reading("many-blocks", Some(8), Some(64), 69);
    ask.host.clone_from(&namespace.address);
    assert_read(&run_within(&ask, &[], Duration::from_secs(60)).await, 8 * 65_540 + 3);
}

#[tokio::test]
async fn a_firewall_that_drops_packets_to_the_transfer_port_is_recognised_by_repeated_answers() {
    let namespace = Namespace::new('t');
    let _daemon = dnsmasq(&namespace);
    namespace.on_arrival("udp dport != 69 drop");
    let mut ask = reading("million", None, None, 69);
    ask.host.clone_from(&namespace.address);
    let seen = run_within(&ask, &[], Duration::from_secs(4)).await;
    assert_eq!(
        (seen.judgement.status, seen.judgement.code),
        (Status::Fail, Code::TftpTransferPortBlocked),
        "{:?}",
        seen.evidence
    );
    assert_eq!(seen.judgement.lost, Some(Lost::Request));
}

#[tokio::test]
async fn a_firewall_that_rejects_packets_to_the_transfer_port_is_told_from_a_server_that_ended() {
    let namespace = Namespace::new('r');
    let _daemon = dnsmasq(&namespace);
    namespace.on_arrival("udp dport != 69 reject with icmp admin-prohibited");
    let mut ask = reading("million", None, None, 69);
    ask.host.clone_from(&namespace.address);
    let seen = run(&ask).await;
    let verdict = (seen.judgement.code, seen.judgement.lost);
    assert_eq!(verdict, (Code::TftpTransferPortBlocked, Some(Lost::Request)), "{:?}", seen.evidence);
    assert!(seen.judgement.sentence.contains("its own firewall"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_firewall_that_rejects_the_request_is_named() {
    let namespace = Namespace::new('p');
    let _daemon = dnsmasq(&namespace);
    namespace.on_arrival("udp dport 69 reject with icmp admin-prohibited");
    let mut ask = asking(None, 69);
    ask.host.clone_from(&namespace.address);
    let seen = run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Fail, Code::Rejected), "{:?}", seen.evidence);
    assert!(seen.judgement.sentence.contains("type 3, code 13"), "{}", seen.judgement.sentence);
}
