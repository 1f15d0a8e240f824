//! What one conversation saw, put together by hand and judged by the real judges.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use bothways::diagnose::judge::{self, Case};
use bothways::model::ask::Ask;
use bothways::model::evidence::{Failure, Icmp, Millis, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::Probe;
use bothways::net::trace::Trace;
use serde_json::Value;

use crate::support;

pub const HOST: &str = "10.9.2.2";
pub const OWN: &str = "10.9.1.2";
pub const FIRST: &str = "10.9.1.1";

/// A conversation, to be judged.
pub struct Seen {
    pub ask: Ask,
    pub trace: Trace,
    /// How long the step took that failed.
    pub took: Millis,
}

impl Seen {
    pub fn of(probe: Probe, port: u16) -> Self {
        let ask = Ask { host: HOST.to_owned(), ..support::ask(probe, port) };
        let trace = Trace::new(Instant::now());
        trace.fact(Fact::LocalAddress, format!("{OWN}:50000"));
        Self { ask, trace, took: Millis(0) }
    }

    /// As long as it takes to ask for a neighbour in vain.
    pub fn after_asking(self) -> Self {
        Self { took: Millis(3_000_000), ..self }
    }

    pub fn went_well(self, kind: StepKind) -> Self {
        self.trace.begin(kind, None).pass();
        self
    }

    pub fn accepted(self) -> Self {
        self.went_well(StepKind::Connect)
    }

    pub fn fails(self, kind: StepKind, failure: Failure) -> Self {
        let _ = self.trace.begin(kind, None).fail(failure);
        self
    }

    pub fn told(self, step: StepKind, error: ErrorKind, icmp: Icmp) -> Self {
        let _ = self.trace.begin(step, None).fail_icmp(&io::Error::from(error), Some((icmp, None)));
        self
    }

    pub fn fact(self, fact: Fact, value: impl Into<Value>) -> Self {
        self.trace.fact(fact, value);
        self
    }

    pub fn judged(self) -> Judgement {
        let mut evidence = self.trace.finish(Failure::TimedOut);
        if let Some(step) = evidence.steps.last_mut() {
            step.took_ms = self.took;
        }
        let flow = support::flow(&self.ask);
        let address = Some(SocketAddr::new(HOST.parse().expect("an address"), self.ask.port));
        judge::judge(&Case { flow: &flow, ask: &self.ask, address, evidence: &evidence })
    }
}

pub fn icmp(kind: u8, code: u8, from: &str) -> Icmp {
    Icmp { kind, code, from: Some(from.parse().expect("an address")), v6: false }
}
