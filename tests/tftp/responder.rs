//! The responder against the probe, tftp-hpa's `tftp` and curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::responder::{self, Certificate, Open, Peers, Service, Shared, tftp};

use super::{asking, reading};
use crate::support::daemon::program;
use crate::support::{run, run_within};

async fn open(file: Option<&str>, peers: Peers) -> (Open, Arc<Shared>) {
    open_at(Ipv4Addr::LOCALHOST.into(), file, peers).await
}

async fn open_at(address: IpAddr, file: Option<&str>, peers: Peers) -> (Open, Arc<Shared>) {
    let shared =
        Arc::new(Shared::new(peers, Certificate::for_names(&["localhost".to_owned()]).expect("a certificate")));
    let service = Service::Tftp(tftp::Service { file: file.map(str::to_owned) });
    let address = SocketAddr::new(address, 0);
    (responder::open(service, address, Arc::clone(&shared)).await.expect("a free port"), shared)
}

#[tokio::test]
async fn a_probe_without_a_file_gets_its_token_back_and_reads_on() {
    let (open, shared) = open(None, Peers::loopback()).await;
    let ask = asking(None, open.address.port());
    let seen = run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert!(seen.evidence.holds(Fact::Echoed));
    assert_ne!(seen.evidence.number(Fact::TransferPort), Some(u64::from(open.address.port())));
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(512), "its acknowledgements are heard");
    let [receipt, read] = &shared.receipts.all()[..] else { panic!("two receipts") };
    assert_eq!((receipt.token.as_deref(), read.token.as_deref()), (Some(ask.token.as_str()), None));
    assert_eq!(receipt.asked.as_deref(), Some(ask.token.labelled().as_str()));
    assert!(receipt.sent_bytes > 0 && receipt.sent_bytes <= receipt.received_bytes, "{receipt:?}");
    let port = seen.evidence.text(Fact::LocalAddress).and_then(|a| a.rsplit(':').next()).expect("a local port");
    assert!(receipt.source.ends_with(&format!(":{port}")), "{receipt:?}");
}

#[tokio::test]
async fn a_probe_reads_the_whole_text_with_and_without_windows() {
    let (open, _shared) = open(None, Peers::loopback()).await;
    for (block_size, window) in
        [(None, None), (Some(512), None), (Some(8), Some(7)), (Some(2048), Some(64)), (Some(65_464), None)]
    {
        let seen = run(&reading("boot.wim", block_size, window, open.address.port())).await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
        assert_eq!(seen.evidence.number(Fact::FileRead), Some(2048));
        assert_eq!(seen.evidence.number(Fact::FileBytes), Some(2048));
    }
}

#[tokio::test]
async fn a_probe_reads_the_whole_text_over_ipv6() {
    let (open, _shared) = open_at(Ipv6Addr::LOCALHOST.into(), None, Peers::loopback()).await;
    let mut ask = reading("boot.wim", None, None, open.address.port());
    ask.host = Ipv6Addr::LOCALHOST.to_string();
    let seen = run(&ask).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(2048));
}

#[tokio::test]
async fn with_a_file_named_no_other_is_there() {
    let (open, _shared) = open(Some("boot/real.wim"), Peers::loopback()).await;
    let there = run(&asking(Some("boot/real.wim"), open.address.port())).await;
    assert_eq!(there.judgement.code, Code::Ok);
    let missing = run(&asking(Some("boot/other.wim"), open.address.port())).await;
    assert_eq!((missing.judgement.status, missing.judgement.code), (Status::Warn, Code::TftpFileMissing));
}

#[tokio::test]
async fn strangers_get_no_answer_and_no_receipt() {
    let (open, shared) = open(None, Peers::only(vec![Ipv4Addr::new(192, 0, 2, 1).into()])).await;
    let seen = run_within(&asking(None, open.address.port()), &[], Duration::from_millis(300)).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Unknown, Code::NoAnswer));
    assert!(shared.receipts.all().is_empty());
}

/// Runs a client in a folder of its own, off the runtime.
async fn client(program: std::path::PathBuf, arguments: Vec<String>) -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_owned();
    let run = move || Command::new(program).args(arguments).current_dir(place).output().expect("the client runs");
    let output = tokio::task::spawn_blocking(run).await.expect("it ends");
    (folder, output)
}

#[tokio::test]
async fn the_tftp_client_gets_the_text_in_both_modes() {
    let (open, shared) = open(None, Peers::loopback()).await;
    for mode in ["octet", "netascii"] {
        let arguments = format!("127.0.0.1 {} -m {mode} -c get boot.wim", open.address.port());
        let (folder, output) =
            client(program("tftp", "tftp-hpa"), arguments.split(' ').map(str::to_owned).collect()).await;
        let got = std::fs::read_to_string(folder.path().join("boot.wim")).unwrap_or_else(|_| panic!("{output:?}"));
        assert!(got.starts_with("This is a bothways responder"), "{got}");
        assert!(got.len() > 1900, "{} bytes", got.len());
    }
    assert!(shared.receipts.all().iter().all(|receipt| receipt.asked.as_deref() == Some("boot.wim")));
}

#[tokio::test]
async fn the_tftp_client_can_not_put() {
    let (open, _shared) = open(None, Peers::loopback()).await;
    let arguments = format!("127.0.0.1 {} -m octet -c put /etc/hostname stolen", open.address.port());
    let (_folder, output) =
        client(program("tftp", "tftp-hpa"), arguments.split(' ').map(str::to_owned).collect()).await;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("Read only"), "{text}");
}

#[tokio::test]
async fn curl_gets_the_text_with_options_and_without() {
    let (open, _shared) = open(None, Peers::loopback()).await;
    for options in ["--tftp-no-options", "--tftp-blksize=1024", "--tftp-blksize=8"] {
        let (name, value) = options.split_once('=').unwrap_or((options, ""));
        let mut arguments = vec!["--silent".to_owned(), "--show-error".to_owned(), name.to_owned()];
        arguments.extend((!value.is_empty()).then(|| value.to_owned()));
        arguments.push(format!("tftp://127.0.0.1:{}/boot.wim", open.address.port()));
        let (_folder, output) = client(program("curl", "curl"), arguments).await;
        assert!(output.status.success(), "{options}: {output:?}");
        assert_eq!(output.stdout.len(), 2048, "{options}");
    }
}
