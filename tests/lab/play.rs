//! Plays one scenario: network, firewalls, servers, a listener, and the check, whose record is compared.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::certificate;
use crate::enter;
use crate::network::Network;
use crate::placeholder::Placeholders;
use crate::scenario::{Check, Listen, Scalar, Scenario};
use crate::service::{self, Running};
use crate::topology::{self, Plan};
use crate::verdict::{self, Row};

/// What a run of a check gave.
pub struct Played {
    pub exit: Option<i32>,
    pub record: Value,
    /// What the programs said besides.
    pub log: String,
}

/// A scenario's network with all that runs in it.
pub struct Stage<'a> {
    // Programs end before their network goes.
    listeners: Vec<Running>,
    services: Vec<Running>,
    pub network: Network,
    pub fill: Placeholders<'a>,
    scenario: &'a Scenario,
    profile: String,
}

/// Plays it and compares.
///
/// # Errors
/// The scenario could not be played.
pub fn play(scenario: &Scenario) -> Result<(Vec<Row>, Played), String> {
    let plan = topology::plan(scenario)?;
    let stage = Stage::set(scenario, &plan)?;
    let played = stage.check()?;
    let rows = verdict::compare(&scenario.expect, &played, &stage.fill)?;
    Ok((rows, played))
}

impl<'a> Stage<'a> {
    /// Builds the network, loads the rules, and starts what answers.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn set(scenario: &'a Scenario, plan: &'a Plan) -> Result<Self, String> {
        let network = Network::new(plan)?;
        network.switch_on(plan)?;
        let certificates = network.folder.join("certificates");
        certificate::write(&scenario.certificates, &certificates)?;
        let named = BTreeMap::from([
            ("certificates".to_owned(), certificates.display().to_string()),
            ("scratch".to_owned(), network.folder.display().to_string()),
        ]);
        let fill = Placeholders { plan, named };
        let profile = match &scenario.profile {
            None => "miradore".to_owned(),
            Some(text) => {
                let path = network.folder.join("profile.yaml");
                std::fs::write(&path, fill.fill(text)?).map_err(|error| error.to_string())?;
                path.display().to_string()
            }
        };
        let (listeners, services) = (Vec::new(), Vec::new());
        let mut stage = Self { listeners, services, network, fill, scenario, profile };
        stage.furnish()?;
        for (number, wanted) in scenario.services.iter().enumerate() {
            stage.services.push(service::start(&stage.network, wanted, number, &stage.fill)?);
        }
        for (number, wanted) in scenario.listen.iter().enumerate() {
            let listener = stage.listen(wanted, number)?;
            stage.listeners.push(listener);
        }
        Ok(stage)
    }

    fn furnish(&self) -> Result<(), String> {
        let (scenario, network) = (self.scenario, &self.network);
        let known = |name: &String| self.fill.plan.machine(name).map(|_| ());
        for (machine, values) in &scenario.sysctl {
            known(machine)?;
            values.iter().try_for_each(|(name, value)| network.sysctl(machine, name, &value.to_string()))?;
        }
        for (machine, lines) in &scenario.ip {
            known(machine)?;
            network.ip(machine, &(self.filled(lines)?.join("\n") + "\n"))?;
        }
        for (machine, hooks) in &scenario.rules {
            known(machine)?;
            let filled = hooks.iter().map(|(hook, rules)| Ok((*hook, self.filled(rules)?)));
            network.rules(machine, &filled.collect::<Result<_, String>>()?)?;
        }
        for (machine, text) in &scenario.ruleset {
            known(machine)?;
            network.ruleset(machine, &self.fill.fill(text)?)?;
        }
        scenario.hosts.keys().chain(scenario.name_servers.keys()).try_for_each(known)?;
        for machine in &self.fill.plan.machines {
            let lines = |of: &BTreeMap<String, Vec<String>>| of.get(&machine.name).cloned().unwrap_or_default();
            let hosts = self.filled(&lines(&scenario.hosts))?;
            network.name_service(&machine.name, &hosts, &self.filled(&lines(&scenario.name_servers))?)?;
        }
        Ok(())
    }

    fn filled(&self, texts: &[String]) -> Result<Vec<String>, String> {
        texts.iter().map(|text| self.fill.fill(text)).collect()
    }

    /// `bothways` with what `listen` and `check` have in common.
    fn program(
        &self,
        subcommand: &str,
        unprivileged: bool,
        sides: &[String],
        set: &BTreeMap<String, Scalar>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Command, String> {
        let program = env!("CARGO_BIN_EXE_bothways");
        let mut command = Command::new(if unprivileged { "unshare" } else { program });
        if unprivileged {
            // In a user namespace of its own it has no say in the machine's network.
            command.args(["--user", "--map-user=1000", "--map-group=1000", program]);
        }
        command.arg(subcommand).arg(&self.profile).current_dir(&self.network.folder);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        for side in sides {
            command.args(["--side", side]);
        }
        for (key, value) in self.scenario.set.iter().chain(set) {
            command.args(["--set", &format!("{key}={}", self.fill.fill(&value.to_string())?)]);
        }
        for (name, value) in environment {
            command.env(name, self.fill.fill(value)?);
        }
        Ok(command)
    }

    fn join_file(&self, number: usize) -> std::path::PathBuf {
        self.network.folder.join(format!("join-{number}"))
    }

    fn listen(&self, wanted: &Listen, number: usize) -> Result<Running, String> {
        let mut command =
            self.program("listen", wanted.unprivileged, &wanted.sides, &wanted.set, &wanted.environment)?;
        let file = self.join_file(number);
        command.arg("--join-file").arg(&file).args(self.filled(&wanted.arguments)?);
        let mut running = Running::start(&self.network, &wanted.on, &format!("listen-{number}"), &mut command)?;
        running.wait_until("it had a join code", || {
            std::fs::read_to_string(&file).is_ok_and(|code| code.ends_with('\n'))
        })?;
        Ok(running)
    }

    /// Runs the check.
    ///
    /// # Errors
    /// It gives no record.
    pub fn check(&self) -> Result<Played, String> {
        let wanted: &Check = &self.scenario.check;
        let mut command =
            self.program("check", wanted.unprivileged, &wanted.sides, &wanted.set, &wanted.environment)?;
        command.args(["--format", "json"]).args(self.filled(&wanted.arguments)?);
        for check in &wanted.only {
            command.args(["--only", check]);
        }
        if wanted.join {
            let code = std::fs::read_to_string(self.join_file(0)).map_err(|error| format!("no join code: {error}"))?;
            command.args(["--join", code.trim()]);
        }
        let record = self.network.folder.join("record.json");
        let log = self.network.folder.join("check.log");
        let file = |path: &std::path::Path| std::fs::File::create(path).map_err(|error| error.to_string());
        command.stdin(Stdio::null()).stdout(file(&record)?).stderr(file(&log)?).env("PATH", enter::path());
        let mut child = self.network.spawn(&wanted.on, &mut command)?;
        let deadline = Instant::now() + Duration::from_secs(120);
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err("the check did not end in two minutes".to_owned());
                }
            }
        };
        let log = self.log(&std::fs::read_to_string(&log).unwrap_or_default());
        let text = std::fs::read_to_string(&record).unwrap_or_default();
        let record = serde_json::from_str(&text).map_err(|error| format!("no record ({error}): {text}\n{log}"))?;
        Ok(Played { exit: status.code(), record, log })
    }

    fn log(&self, check: &str) -> String {
        let others = self.listeners.iter().chain(&self.services).map(Running::said);
        format!("-- check\n{check}\n{}", others.collect::<Vec<_>>().join("\n"))
    }
}
