//! Real servers on a scenario's machines, from ready-made configurations in `services/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::enter;
use crate::network::Network;
use crate::placeholder::Placeholders;
use crate::scenario::{self, Scalar, Service};

/// A ready-made configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Recipe {
    /// What it is, in one line; for readers.
    #[serde(rename = "about")]
    _about: String,
    /// Whether it takes other users' rights on.
    #[serde(default)]
    users: bool,
    /// The Debian package that brings the program.
    package: String,
    /// What `with` may set, and what holds where it does not.
    #[serde(default)]
    parameters: BTreeMap<String, Scalar>,
    /// Folders to be made in `$folder`.
    #[serde(default)]
    folders: Vec<String>,
    /// Files to be written to `$folder`.
    #[serde(default)]
    files: BTreeMap<String, String>,
    run: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// The ports on which it listens once it is ready.
    #[serde(default)]
    tcp: Vec<String>,
    #[serde(default)]
    udp: Vec<String>,
}

/// A program that runs until it is dropped.
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The whole group: some servers are several processes.
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a program on a machine; what it says goes to a file.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(network: &Network, machine: &str, name: &str, command: &mut Command) -> Result<Self, String> {
        use std::os::unix::process::CommandExt;
        let log = network.folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let again = file.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(file).stderr(again).process_group(0).env("PATH", enter::path());
        let child = network.spawn(machine, command)?;
        Ok(Self { child, name: name.to_owned(), log })
    }

    /// What it has said.
    pub fn said(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        format!("-- {}\n{}", self.name, String::from_utf8_lossy(&said))
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// It ends before, or is not ready in 30 seconds.
    pub fn wait_until(&mut self, what: &str, ready: impl Fn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{} ended ({status}) before {what}:\n{}", self.name, self.said()));
            }
            if Instant::now() > deadline {
                return Err(format!("{}: not {what} in 30 seconds:\n{}", self.name, self.said()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Whether a service can't be run without users besides root.
pub fn needs_users(service: &Service) -> bool {
    recipe(service).is_ok_and(|(_, recipe)| recipe.users)
}

fn recipe(service: &Service) -> Result<(PathBuf, Recipe), String> {
    let file = scenario::service_file(&service.run);
    let recipe = scenario::read(&file)?;
    Ok((file, recipe))
}

/// Starts a scenario's service and waits until it is ready. `number` tells services of one scenario apart.
///
/// # Errors
/// It is not described, not installed, or does not come up.
pub fn start(network: &Network, service: &Service, number: usize, fill: &Placeholders) -> Result<Running, String> {
    let (path, recipe) = recipe(service)?;
    let folder = network.folder.join(format!("{}-{number}", service.run));
    let mut named = BTreeMap::from([("folder".to_owned(), folder.display().to_string())]);
    // Unlike any other service's on this machine.
    named.insert(
        "service".to_owned(),
        folder.display().to_string().chars().filter(char::is_ascii_alphanumeric).collect(),
    );
    named.insert("lab".to_owned(), scenario::folder("services").display().to_string());
    for (name, value) in recipe.parameters.iter().chain(&service.with) {
        if !recipe.parameters.contains_key(name) {
            return Err(format!("{}: it has no parameter `{name}`", path.display()));
        }
        named.insert(name.clone(), fill.fill(&value.to_string())?);
    }
    let fill = fill.with(named);
    write_files(&recipe, &folder, &fill)?;
    let words = recipe.run.iter().map(|word| fill.fill(word)).collect::<Result<Vec<_>, _>>()?;
    let (program, arguments) = words.split_first().ok_or("run: it names no program")?;
    let program = find(program).ok_or_else(|| format!("`{program}` is missing: install `{}`", recipe.package))?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&folder);
    for (name, value) in &recipe.environment {
        command.env(name, fill.fill(value)?);
    }
    let mut running = Running::start(network, &service.on, &format!("{}-{number}", service.run), &mut command)?;
    for (table, ports) in [("tcp", &recipe.tcp), ("udp", &recipe.udp)] {
        for port in ports {
            let port: u16 = fill.fill(port)?.parse().map_err(|_| format!("{}: `{port}` is no port", path.display()))?;
            running.wait_until("listening", || listens(network, &service.on, table, port))?;
        }
    }
    Ok(running)
}

fn write_files(recipe: &Recipe, folder: &Path, fill: &Placeholders) -> Result<(), String> {
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(said)?;
    for name in &recipe.folders {
        std::fs::create_dir_all(folder.join(name)).map_err(said)?;
    }
    for (name, text) in &recipe.files {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(said)?;
        std::fs::write(path, fill.fill(text)?).map_err(said)?;
    }
    // Servers that give root's rights up read and write here.
    let open = Command::new("chmod").args(["-R", "a+rwX"]).arg(folder).status().map_err(said)?;
    open.success().then_some(()).ok_or_else(|| "chmod failed".to_owned())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = enter::path();
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|candidate| candidate.exists())
}

/// Whether something listens on a port of a machine: read from the kernel's table, so that nobody is disturbed.
pub fn listens(network: &Network, machine: &str, protocol: &str, port: u16) -> bool {
    // A listening TCP socket is in state 0A, a UDP socket that is bound in state 07.
    let state = if protocol == "tcp" { "0A" } else { "07" };
    let tables = network.inside(machine, || {
        let table = |end| std::fs::read_to_string(format!("/proc/thread-self/net/{protocol}{end}")).unwrap_or_default();
        table("") + &table("6")
    });
    let wanted = format!(":{port:04X}");
    tables.unwrap_or_default().lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, _, found) = (words.next(), words.next(), words.next());
        local.is_some_and(|local| local.ends_with(&wanted)) && found == Some(state)
    })
}
