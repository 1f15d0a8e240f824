//! A real Samba on a free port of the loopback, with shares of every kind and two accounts.
#![cfg_attr(not(feature = "smb"), allow(dead_code, reason = "the build without the client asks less of the server"))]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bothways::model::secret::{Account, SecretSource};

use crate::support::daemon::{self, Daemon};

pub const PASSWORD: &str = "Corr3ct horse";
/// Unix users that every Debian has; Samba keeps its own passwords for them.
pub const USER: &str = "games";
const DISABLED: &str = "news";

pub struct Samba {
    pub port: u16,
    daemon: Daemon,
}

impl Samba {
    /// Starts a server with these lines in its `[global]` section.
    pub fn start(globals: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_owned();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("permissions");
        fs::create_dir(root.join("files")).expect("a folder");
        for name in ["one.txt", "two.txt", "three.txt"] {
            fs::write(root.join("files").join(name), "content").expect("a file");
        }
        fs::create_dir(root.join("closed")).expect("a folder");
        fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o700)).expect("permissions");
        let port = daemon::free_tcp_port();
        let configuration = root.join("smb.conf");
        fs::write(&configuration, text(&root, port, globals)).expect("smb.conf");
        add(&configuration, USER);
        add(&configuration, DISABLED);
        smbpasswd(&configuration, &["-d", DISABLED], "");
        let mut command = Command::new(daemon::program("smbd", "samba"));
        command.args(["-F", "--no-process-group", "--debug-stdout", "-d1", "-s"]).arg(&configuration);
        let mut daemon = daemon::start(&mut command, folder);
        daemon.wait_for_tcp(port);
        Self { port, daemon }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.daemon.path(name)
    }
}

/// The account with the right password in [`secrets`].
pub fn account() -> Account {
    named(USER)
}

pub fn disabled_account() -> Account {
    named(DISABLED)
}

pub fn named(user: &str) -> Account {
    Account { user: user.to_owned(), domain: None, password: source() }
}

pub fn source() -> SecretSource {
    SecretSource::Env("SHARE_PASSWORD".to_owned())
}

fn text(root: &Path, port: u16, globals: &str) -> String {
    let root = root.display();
    format!(
        "[global]
  workgroup = OFFICE
  netbios name = FILES
  server role = standalone server
  interfaces = 127.0.0.1 ::1
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  private dir = {root}
  lock directory = {root}
  state directory = {root}
  cache directory = {root}
  pid directory = {root}
  ncalrpc dir = {root}/ncalrpc
  passdb backend = tdbsam:{root}/passdb.tdb
  map to guest = never
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  usershare max shares = 0
  {globals}
[Setup]
  path = {root}/files
[Forbidden]
  path = {root}/files
  valid users = root
[Encrypted]
  path = {root}/files
  smb encrypt = required
[Unreadable]
  path = {root}/closed
[Open]
  path = {root}/files
  guest ok = yes
"
    )
}

fn add(configuration: &Path, user: &str) {
    smbpasswd(configuration, &["-a", "-s", user], &format!("{PASSWORD}\n{PASSWORD}\n"));
}

fn smbpasswd(configuration: &Path, arguments: &[&str], input: &str) {
    let mut child = Command::new(daemon::program("smbpasswd", "samba-common-bin"))
        .arg("-c")
        .arg(configuration)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("smbpasswd starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("passwords");
    let output = child.wait_with_output().expect("smbpasswd ends");
    assert!(output.status.success(), "smbpasswd: {}", String::from_utf8_lossy(&output.stderr));
}
