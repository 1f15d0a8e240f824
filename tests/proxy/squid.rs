//! Squid, as a test wants it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::super::support::daemon::{self, Daemon, free_tcp_port};

/// Squid that is not asked to stop, since it would take two seconds to do so; what it shares in memory goes with it.
pub struct Squid {
    daemon: Daemon,
    service: String,
}

impl Drop for Squid {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.daemon.path("pid")).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(&format!("{}-cf__", self.service));
        for file in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten().filter(|file| ours(&file.file_name()))
        {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// Squid with these lines before its last rule, which allows the rest.
pub fn squid(lines: &str) -> (u16, Squid) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("permissions");
    std::fs::write(folder.path().join("basic"), "user:$apr1$bothways$TcC.S/4uZ1yuVmMGtZQHT1\n").expect("a file");
    std::fs::write(folder.path().join("digest"), "user:secret\n").expect("a file");
    let port = free_tcp_port();
    let place = folder.path().to_str().expect("UTF-8").to_owned();
    let conf = format!(
        "http_port 127.0.0.1:{port}\npid_filename {place}/pid\ncache deny all\naccess_log none\ncache_log {place}/cache.log\n\
         coredump_dir {place}\nvisible_hostname squid-under-test\nshutdown_lifetime 0 seconds\nconnect_timeout 2 seconds\n\
         netdb_filename none\nworkers 1\n{}\nhttp_access allow all\n",
        lines.replace("FOLDER", &place)
    );
    let file = folder.path().join("squid.conf");
    std::fs::write(&file, conf).expect("a file");
    let mut command = Command::new(daemon::program("squid", "squid"));
    let service = format!("bothways{port}");
    command.args(["-N", "-n", &service, "-f"]).arg(&file);
    let mut daemon = daemon::start(&mut command, folder);
    daemon.wait_for_tcp(port);
    (port, Squid { daemon, service })
}

pub const BASIC: &str = "auth_param basic program /usr/lib/squid/basic_ncsa_auth FOLDER/basic\n\
    auth_param basic realm test\nacl known proxy_auth REQUIRED\nhttp_access deny !known";
pub const DIGEST: &str = "auth_param digest program /usr/lib/squid/digest_file_auth FOLDER/digest\n\
    auth_param digest realm test\nacl known proxy_auth REQUIRED\nhttp_access deny !known";
#[cfg(feature = "smb")]
pub const NTLM: &str = "auth_param ntlm program /usr/lib/squid/ntlm_fake_auth\n\
    auth_param ntlm keep_alive on\nacl known proxy_auth REQUIRED\nhttp_access deny !known";
