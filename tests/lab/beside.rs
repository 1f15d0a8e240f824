//! The lab's networks seen by other programs: nmap, netcat and `blackbox_exporter` are asked the same as `bothways`, on the
//! same machine, of the first flow of each kind of fault. Writes `docs/comparison.md`; `tests/lab/compare` calls it.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::play::Stage;
use crate::scenario::Scenario;
use crate::service::Running;
use crate::{enter, page, scenario, topology};

/// What everybody says of one flow.
pub struct Compared {
    pub scenario: String,
    pub fault: String,
    pub flow: Flow,
    pub nmap: String,
    pub netcat: String,
    pub exporter: String,
}

/// One flow, as `bothways` saw it.
pub struct Flow {
    pub check: String,
    pub status: String,
    pub code: String,
    pub lost: Option<String>,
    pub rejected_by: Option<String>,
    pub last_hop: Option<String>,
    pub host: String,
    pub port: u16,
    pub udp: bool,
    pub proxied: bool,
    /// Whether it must not get through.
    pub blocked: bool,
    /// `http` or `https`, where it speaks that.
    scheme: Option<&'static str>,
    /// The role that the flow was tested from.
    tested_from: String,
}

const AT_ONCE: usize = 8;

/// Plays every scenario whose name holds `filter`, and gives the page.
pub fn compare(filter: &str) -> String {
    let scenarios = scenario::all().into_iter().filter(|(name, _)| name.contains(filter)).collect::<Vec<_>>();
    let (waiting, done) = (Mutex::new(scenarios), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, scenario)) = waiting.lock().ok().and_then(|mut list| list.pop()) {
                    let seen = scenario.and_then(|scenario| seen(&name, &scenario));
                    match seen {
                        Ok(rows) => done.lock().expect("no panic holds it").extend(rows),
                        Err(error) => eprintln!("{name}: {error}"),
                    }
                }
            });
        }
    });
    let mut rows = done.into_inner().unwrap_or_default();
    rows.sort_by(|one: &Compared, other| (&one.scenario, &one.flow.check).cmp(&(&other.scenario, &other.flow.check)));
    page::page(&rows)
}

fn seen(name: &str, scenario: &Scenario) -> Result<Vec<Compared>, String> {
    let plan = topology::plan(scenario)?;
    let stage = Stage::set(scenario, &plan)?;
    let record = stage.check()?.record;
    let mut rows = Vec::new();
    for flow in flows(&record) {
        let here = scenario.check.sides.contains(&flow.tested_from);
        let machine = if here { Some(&scenario.check.on) } else { scenario.listen.first().map(|listen| &listen.on) };
        let Some(machine) = machine else { continue };
        let on = On { stage: &stage, machine };
        rows.push(Compared {
            scenario: name.to_owned(),
            fault: scenario.fault.clone(),
            nmap: on.nmap(&flow)?,
            netcat: on.netcat(&flow)?,
            exporter: on.exporter(&flow)?,
            flow,
        });
    }
    Ok(rows)
}

/// The first flow of each kind of fault; the first one of all where nothing is wrong.
fn flows(record: &Value) -> Vec<Flow> {
    let outcomes = record["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<Flow> = Vec::new();
    for flow in outcomes.iter().filter_map(flow).filter(|flow| flow.status != "pass") {
        if found.iter().all(|known| (&known.code, &known.lost, known.udp) != (&flow.code, &flow.lost, flow.udp)) {
            found.push(flow);
        }
    }
    if found.is_empty() { outcomes.iter().filter_map(flow).take(1).collect() } else { found }
}

fn flow(outcome: &Value) -> Option<Flow> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (host, port) = outcome["target"].as_str()?.rsplit_once(':')?;
    let steps = outcome["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let check = text(&outcome["check"])?;
    Some(Flow {
        scheme: ["job-query", "inventory", "wake-up-websocket", "results"]
            .contains(&check.as_str())
            .then(|| if steps.iter().any(|step| step["kind"] == "tls") { "https" } else { "http" }),
        check,
        status: text(&outcome["status"])?,
        blocked: outcome["expect"] == "blocked",
        code: text(&outcome["code"])?,
        lost: text(&outcome["lost"]),
        rejected_by: text(&outcome["path"]["rejected_by"]["from"]),
        last_hop: text(&outcome["path"]["last_hop"]["address"]),
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().ok()?,
        udp: outcome["transport"] == "udp",
        proxied: !outcome["facts"]["proxy"].is_null(),
        tested_from: text(&outcome["tested_from"])?,
    })
}

/// A machine of a scenario, to run programs on.
struct On<'a> {
    stage: &'a Stage<'a>,
    machine: &'a str,
}

impl On<'_> {
    /// What a program says on either of its outputs.
    fn says(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let network = &self.stage.network;
        let path = network.folder.join(format!("{program}.out"));
        let file = std::fs::File::create(&path).map_err(|error| error.to_string())?;
        let again = file.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", enter::path()).stdin(Stdio::null()).stdout(file).stderr(again);
        let mut child = network.spawn(self.machine, &mut command)?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }

    fn nmap(&self, flow: &Flow) -> Result<String, String> {
        let port = flow.port.to_string();
        let mut arguments =
            vec!["-Pn", "-n", "--reason", if flow.udp { "-sU" } else { "-sS" }, "-p", &port, &flow.host];
        if flow.host.contains(':') {
            arguments.push("-6");
        }
        let said = self.says("nmap", &arguments)?;
        let line = said.lines().find(|line| line.starts_with(&format!("{port}/")));
        let state = line.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
        Ok(match state {
            // The third word is the service's name in a table of port numbers.
            Some(words) if words.len() > 2 => format!("{} ({})", words[0], words[2..].join(" ")),
            _ => last_line(&said.replace("QUITTING!", "")),
        })
    }

    fn netcat(&self, flow: &Flow) -> Result<String, String> {
        let port = flow.port.to_string();
        let mut arguments = vec!["-z", "-v", "-w", "5"];
        if flow.udp {
            arguments.push("-u");
        }
        arguments.extend([flow.host.as_str(), &port]);
        let said = last_line(&self.says("nc", &arguments)?);
        // Before it says again what it was asked.
        let end = said.rsplit_once(": ").map_or(said.as_str(), |(_, end)| end);
        Ok(if said.ends_with("succeeded!") { "succeeded".to_owned() } else { end.to_owned() })
    }

    fn exporter(&self, flow: &Flow) -> Result<String, String> {
        if flow.udp {
            return Ok("no UDP".to_owned());
        }
        let network = &self.stage.network;
        let ca = network.folder.join("certificates/company.pem");
        let tls = if ca.exists() { format!("tls_config: {{ ca_file: {} }}", ca.display()) } else { String::new() };
        let configuration = network.folder.join("exporter.yml");
        let text = format!(
            "modules:\n  http: {{ prober: http, timeout: 5s, http: {{ {tls} }} }}\n  tcp: {{ prober: tcp, timeout: 5s }}\n"
        );
        std::fs::write(&configuration, text).map_err(|error| error.to_string())?;
        let mut command = Command::new("prometheus-blackbox-exporter");
        command.arg("--config.file").arg(&configuration).args(["--web.listen-address", "127.0.0.1:9115"]);
        let mut exporter = Running::start(network, self.machine, "exporter", &mut command)?;
        exporter.wait_until("listening", || crate::service::listens(network, self.machine, "tcp", 9115))?;
        let host = if flow.host.contains(':') { format!("[{}]", flow.host) } else { flow.host.clone() };
        let (module, target) = match flow.scheme {
            Some(scheme) => ("http", format!("{scheme}://{host}:{}/", flow.port)),
            None => ("tcp", format!("{host}:{}", flow.port)),
        };
        let url = format!("http://127.0.0.1:9115/probe?debug=true&module={module}&target={target}");
        let said = self.says("curl", &["-s", "-g", "-m", "30", &url])?;
        Ok(exporter_line(&said))
    }
}

fn last_line(said: &str) -> String {
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// `probe_success`, and the error that its debug log has beside the metrics.
fn exporter_line(said: &str) -> String {
    let success = said.lines().any(|line| line == "probe_success 1");
    let error = said.lines().rev().find_map(|line| {
        let (_, error) = line.split_once(" err=")?;
        let error = error.trim().trim_matches('"').replace("\\\"", "'");
        Some(error.rsplit_once(": ").map_or(error.clone(), |(before, end)| {
            // "connect: connection refused", "x509: certificate has expired": the last two parts say it.
            let start = before.rsplit_once(": ").map_or(before, |(_, last)| last);
            if start.len() < 20 { format!("{start}: {end}") } else { end.to_owned() }
        }))
    });
    match (success, error) {
        (true, _) => "success".to_owned(),
        (false, Some(error)) => format!("no success; log: {error}"),
        (false, None) => "no success".to_owned(),
    }
}
