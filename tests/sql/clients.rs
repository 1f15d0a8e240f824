//! The responder against clients that nobody here wrote: FreeTDS, nmap, tiberius; and against strangers.

use std::process::Command;

use bothways::responder::sql::{Mode, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{VERSION, responder, responder_as};
use crate::support::daemon::program;
use crate::support::hostile::garbage;

/// Runs FreeTDS' `tsql` with a login and gives what it said.
async fn tsql(port: u16, version: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("freetds.conf");
    std::fs::write(&config, format!("[global]\n\ttds version = {version}\n\tconnect timeout = 5\n")).expect("written");
    let mut command = Command::new(program("tsql", "freetds-bin"));
    command
        .args(["-H", "127.0.0.1", "-p", &port.to_string(), "-U", "miradore", "-P", "correct horse"])
        .env("FREETDSCONF", &config)
        .env("TDSVER", version)
        .stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("ran").expect("tsql starts");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn freetds_is_refused_properly_in_every_version_and_mode() {
    for (mode, version) in [
        (Mode::Offered, "7.4"),
        (Mode::Required, "7.4"),
        (Mode::NotSupported, "7.4"),
        (Mode::Offered, "7.1"),
        (Mode::Offered, "7.0"),
    ] {
        let (open, shared) = responder(mode).await;
        let said = tsql(open.address.port(), version).await;
        assert!(said.contains("18456") && said.contains("the way to it is open"), "{mode:?} {version}: {said}");
        let kept = format!("{:?}", shared.receipts.all());
        assert!(!kept.contains("correct horse") && !kept.contains("miradore"), "{kept}");
    }
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn tiberius_is_refused_properly_with_every_encryption() {
    use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
    use tokio_util::compat::TokioAsyncWriteCompatExt;

    for (mode, level) in [
        (Mode::Offered, EncryptionLevel::Off),
        (Mode::Offered, EncryptionLevel::On),
        (Mode::Offered, EncryptionLevel::NotSupported),
        (Mode::Required, EncryptionLevel::Required),
        (Mode::Strict, EncryptionLevel::Strict),
    ] {
        let (open, _) = responder(mode).await;
        let mut config = Config::new();
        config.host("localhost");
        config.encryption(level);
        config.trust_cert();
        config.authentication(AuthMethod::sql_server("miradore", "correct horse"));
        let stream = TcpStream::connect(open.address).await.expect("the responder");
        let Err(error) = Client::connect(config, stream.compat_write()).await else { panic!("{mode:?} {level:?}") };
        assert_eq!(error.code(), Some(18456), "{mode:?} {level:?}: {error}");
    }
}

#[tokio::test]
async fn nmap_knows_the_responder_as_sql_server() {
    let (open, _) = responder_as(Service { version: VERSION, ..Service::default() }).await;
    // The whole list of probes takes most of a minute; the one that matters is enough.
    let list = std::fs::read_to_string("/usr/share/nmap/nmap-service-probes").expect("the Debian package nmap-common");
    let from = list.find("Probe TCP ms-sql-s").expect("nmap's own question to SQL Server");
    let to = list[from..].find("\n###").map_or(list.len(), |end| from + end);
    let folder = tempfile::tempdir().expect("a folder");
    let probes = folder.path().join("probes");
    std::fs::write(&probes, format!("{}\n", &list[from..to])).expect("written");
    let mut command = Command::new(program("nmap", "nmap"));
    command.args(["-sT", "-sV", "--version-all", "-n", "-Pn", "--versiondb"]).arg(&probes);
    command.args(["-p", &open.address.port().to_string(), "-oX", "-", "127.0.0.1"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("ran").expect("nmap starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("name=\"ms-sql-s\"") && said.contains("Microsoft SQL Server 2019"), "{said}");
}

#[tokio::test]
async fn the_responder_gives_strangers_of_the_protocol_nothing() {
    let (open, shared) = responder(Mode::Offered).await;
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), garbage(), vec![0x12, 1, 0, 3, 0, 0, 0, 0], vec![0x12; 70_000]] {
        let mut stream = TcpStream::connect(open.address).await.expect("the responder");
        let _ = stream.write_all(&bytes).await;
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert_eq!(said, b"");
    }
    assert!(shared.receipts.all().iter().all(|receipt| receipt.token.is_none()));
}
