//! The asking half of SQL Server Browser (MC-SQLR): the port of one instance, or all instances of a host.
//!
//! The browser does not answer for a name that it doesn't know. So after some silence all instances are asked for: an
//! answer to that means that the browser is reachable and the name is wrong. The list of many instances is longer than a
//! packet, and its fragments may be lost: so the usual instance is asked for as well, whose answer is short.
//!
//! An answer from another address than the one asked is taken where it is a well-formed one (a cluster or a host with
//! several addresses answers so, and the product's own client takes it as well); the fact `address` then says whose it is.
//! From another address anything else is nobody's answer and is passed over.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::model::ask::Ask;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::SqlBrowser;
use crate::net::trace::Trace;
use crate::net::udp::{Datagrams, NoDatagram};
use crate::net::{Net, Stopped};
use crate::wire::sql_browser::{Instance, Question, decode};

/// When a question is sent (again), in milliseconds from the first, and when silence is the answer. The protocol has no
/// receipts: a lost datagram is only found by waiting.
const ONE_INSTANCE: &[(u64, Of)] =
    &[(0, Of::Instance), (600, Of::Instance), (1500, Of::Instance), (2200, Of::All), (2800, Of::All)];
const ALL_INSTANCES: &[(u64, Of)] = &[(0, Of::All), (600, Of::All), (1500, Of::All)];
/// When the usual instance is asked for beside that, and how long each answer may take.
const BESIDE: Duration = Duration::from_millis(2200);
const SHORTLY: Duration = Duration::from_millis(450);
/// What an instance without a name is called.
const USUAL: &str = "MSSQLSERVER";
const SILENCE: Duration = Duration::from_millis(3700);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Instance,
    All,
}

pub(super) async fn run(
    settings: &SqlBrowser,
    ask: &Ask,
    address: SocketAddr,
    _: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    if let Some(instance) = &settings.instance {
        trace.fact(Fact::Instance, instance.as_str());
    }
    let datagrams = Datagrams::open(address, ask.source, trace)?;
    let mut asking = Asking::new(settings, address);
    let at = Some(address.to_string());

    let step = trace.begin(StepKind::Request, at.clone());
    if let Err(refused) = asking.send_due(&datagrams).await {
        return Err(refused.end(step));
    }
    step.pass();

    let step = trace.begin(StepKind::Reply, at);
    let outcome = {
        let mut answer = std::pin::pin!(asking.answer(&datagrams));
        tokio::select! {
            biased;
            outcome = &mut answer => outcome,
            short = answers_shortly(settings, ask, address, trace) => {
                if short {
                    trace.fact(Fact::ShortAnswer, true);
                }
                answer.await
            }
        }
    };
    trace.fact(Fact::Resends, asking.sent.saturating_sub(1));
    match outcome {
        Outcome::Answer { instances, from } => {
            step.pass_with(format!("{} instances", instances.len()));
            publish(settings, &instances, from, trace);
            Ok(())
        }
        Outcome::Garbage(bytes) => {
            trace.fact(Fact::Banner, bytes[..bytes.len().min(120)].escape_ascii().to_string());
            Err(step.fail(Failure::Malformed))
        }
        Outcome::Error(error) => Err(error.end(step)),
        Outcome::Silence => Err(step.fail_with(Failure::TimedOut, format!("asked {} times", asking.sent))),
    }
}

/// Whether the browser answers about the usual instance, once the list may be lost; asked on a socket of its own, for an
/// answer does not say what it answers.
async fn answers_shortly(settings: &SqlBrowser, ask: &Ask, address: SocketAddr, trace: &Trace) -> bool {
    tokio::time::sleep(BESIDE).await;
    let instance = Some(USUAL.to_owned()).filter(|usual| Some(usual) != settings.instance.as_ref());
    let usual = SqlBrowser { instance };
    let apart = trace.fork();
    // Each time, and never asked twice: else the list may be lost by chance.
    for _ in 0..3 {
        let answered = is_answered(&usual, ask, address, &apart);
        if usual.instance.is_none() || tokio::time::timeout(SHORTLY, answered).await != Ok(true) {
            return false;
        }
    }
    true
}

/// Whether the browser answers a question that is sent only once.
pub(super) async fn is_answered(settings: &SqlBrowser, ask: &Ask, address: SocketAddr, trace: &Trace) -> bool {
    let Ok(datagrams) = Datagrams::open(address, ask.source, trace) else { return false };
    let mut asking = Asking::new(settings, address);
    if asking.send_due(&datagrams).await.is_err() {
        return false;
    }
    matches!(datagrams.receive(&mut vec![0; 65_536]).await, Ok((bytes, _)) if decode(bytes).is_ok())
}

/// The questions of one conversation and how far they are sent.
struct Asking<'a> {
    settings: &'a SqlBrowser,
    address: SocketAddr,
    schedule: &'static [(u64, Of)],
    sent: usize,
    begun: Instant,
}

enum Outcome {
    Answer { instances: Vec<Instance>, from: SocketAddr },
    Garbage(Vec<u8>),
    Error(NoDatagram),
    Silence,
}

impl<'a> Asking<'a> {
    fn new(settings: &'a SqlBrowser, address: SocketAddr) -> Self {
        let schedule = if settings.instance.is_some() { ONE_INSTANCE } else { ALL_INSTANCES };
        Self { settings, address, schedule, sent: 0, begun: Instant::now() }
    }

    /// When the next question is due, or silence is the answer.
    fn due(&self) -> Instant {
        let after = self.schedule.get(self.sent).map_or(SILENCE, |(millis, _)| Duration::from_millis(*millis));
        self.begun + after
    }

    async fn send_due(&mut self, datagrams: &Datagrams) -> Result<(), NoDatagram> {
        let Some((_, of)) = self.schedule.get(self.sent) else { return Ok(()) };
        let question = match (of, &self.settings.instance) {
            (Of::Instance, Some(name)) => Question::Instance(name.clone()),
            _ => Question::All,
        };
        self.sent += 1;
        datagrams.send(&question.encode(), self.address).await
    }

    /// Waits for the answer, sending again when it is due.
    async fn answer(&mut self, datagrams: &Datagrams) -> Outcome {
        let mut buffer = vec![0; 65_536];
        loop {
            match tokio::time::timeout_at(self.due(), datagrams.receive(&mut buffer)).await {
                Ok(Ok((bytes, from))) => match decode(bytes) {
                    Ok(instances) => return Outcome::Answer { instances, from },
                    Err(_) if from == self.address => return Outcome::Garbage(bytes.to_vec()),
                    Err(_) => {}
                },
                Ok(Err(error)) => return Outcome::Error(error),
                Err(_) if self.sent == self.schedule.len() => return Outcome::Silence,
                Err(_) => {
                    if let Err(error) = self.send_due(datagrams).await {
                        return Outcome::Error(error);
                    }
                }
            }
        }
    }
}

fn publish(settings: &SqlBrowser, instances: &[Instance], from: SocketAddr, trace: &Trace) {
    trace.fact(Fact::Address, from.to_string());
    trace.fact(Fact::Instances, instances.iter().map(shown).collect::<Vec<Value>>());
    let Some(asked) = &settings.instance else { return };
    let Some(found) = instances.iter().find(|one| one.name().eq_ignore_ascii_case(asked)) else { return };
    if let Some(port) = found.port() {
        trace.fact(Fact::InstancePort, port);
    }
    if let Some(version) = found.value("Version") {
        trace.fact(Fact::Version, version);
    }
}

/// An instance as it stands in the record.
fn shown(instance: &Instance) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), instance.name().into());
    object.insert("port".to_owned(), json!(instance.port()));
    for (key, value) in instance.pairs.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("InstanceName")) {
        object.entry(key.as_str()).or_insert_with(|| value.as_str().into());
    }
    Value::Object(object)
}
