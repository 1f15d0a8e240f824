//! The scene of the tables: a prober on 10.9.1.2, a far side on 10.9.2.2, and what each case says of both.

use std::net::IpAddr;

use bothways::diagnose::both::{Observed, with_far_side};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, Icmp, Millis, Step, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status, Who};
use bothways::model::flow::{Role, Transport};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::{AnsweredBy, Answering, Means, Sighting, SightingKind, Sightings};
use serde_json::Value;

use crate::reports::sample;

pub const PROBER: &str = "10.9.1.2:50000";
pub const TOKEN: &str = "0123456789abcdef";
pub const CERTIFICATE: &str = "AB:CD:EF:01:23:45:67:89:AB:CD";

/// What one side alone says of a flow from a client to port `port` of the server 10.9.2.2.
pub fn given(transport: Transport, port: u16, status: Status, code: Code) -> Outcome {
    let target = format!("10.9.2.2:{port}");
    let confidence = if status == Status::Unknown { Confidence::Possible } else { Confidence::Likely };
    let sentence = "What one side alone could say.";
    Outcome {
        transport,
        confidence,
        rule: format!("Allow {transport} {port} from client to server."),
        ..sample::outcome("flow", "client", "server", &target, status, code, sentence)
    }
}

pub fn tcp(status: Status, code: Code) -> Outcome {
    given(Transport::Tcp, 443, status, code)
}

pub fn udp(status: Status, code: Code) -> Outcome {
    given(Transport::Udp, 69, status, code)
}

/// The same outcome with more facts.
pub fn with(outcome: Outcome, facts: &[(Fact, Value)]) -> Outcome {
    let mut outcome = outcome;
    outcome.facts.extend(facts.iter().map(|(fact, value)| (fact.word().to_owned(), value.clone())));
    outcome
}

/// A conversation that spoke from [`PROBER`] and carried [`TOKEN`].
pub fn with_token(outcome: Outcome) -> Outcome {
    with(outcome, &[(Fact::Token, TOKEN.into()), (Fact::LocalAddress, PROBER.into())])
}

pub fn stopped(outcome: Outcome, kind: StepKind, failure: Failure) -> Outcome {
    let step = Step {
        kind,
        at_ms: 0,
        took_ms: Millis(1),
        address: outcome.target.clone(),
        error: Some(failure),
        os_code: None,
        icmp: None,
        note: None,
    };
    Outcome { steps: vec![step], ..outcome }
}

/// The far side of an outcome, before anything was seen.
pub struct Far<'a> {
    pub sightings: Sightings,
    pub observed: Observed<'a>,
}

/// A far side on whose port `by` answers.
pub fn far<'a>(outcome: &Outcome, by: AnsweredBy) -> Far<'a> {
    let answering = Answering {
        role: Role::new("server"),
        endpoint: "server".to_owned(),
        transport: outcome.transport,
        port: outcome.port.unwrap_or_default(),
        checks: vec!["flow".to_owned()],
        by,
        over_v6: None,
    };
    let observed = Observed {
        prober: IpAddr::from([10, 9, 1, 2]),
        alone: false,
        certificate: Some(CERTIFICATE.to_lowercase()),
        governs: false,
        near: None,
    };
    Far { sightings: Sightings { answers: vec![answering], ..Sightings::default() }, observed }
}

impl Far<'_> {
    pub fn watching(mut self, means: &[Means]) -> Self {
        self.sightings.means.extend(means);
        self
    }

    pub fn alone(mut self) -> Self {
        self.observed.alone = true;
        self
    }

    /// Saw something of [`PROBER`] on the port.
    pub fn saw(self, kind: SightingKind) -> Self {
        self.saw_of(kind, PROBER)
    }

    pub fn saw_of(self, kind: SightingKind, remote: &str) -> Self {
        self.saw_all(kind, remote, None)
    }

    /// Addresses that are not known asked on the port.
    pub fn among_strangers(mut self) -> Self {
        let answer = &self.sightings.answers[0];
        self.sightings.strangers.push((answer.transport, answer.port));
        self
    }

    /// Was told by this message that its answer to [`PROBER`] may not pass.
    pub fn saw_rejected(self, icmp: Icmp) -> Self {
        self.saw_all(SightingKind::ReplyRefused, PROBER, Some(icmp))
    }

    fn saw_all(mut self, kind: SightingKind, remote: &str, icmp: Option<Icmp>) -> Self {
        let answer = &self.sightings.answers[0];
        let local = format!("10.9.2.2:{}", answer.port).parse().expect("an address");
        let remote = remote.parse().expect("an address");
        let sighting = Sighting { kind, transport: answer.transport, remote, local, at_ms: 5, icmp };
        self.sightings.sighted.push(sighting);
        self
    }

    pub fn received(mut self, receipt: Receipt) -> Self {
        self.sightings.receipts.push(receipt);
        self
    }

    /// The outcome as both sides together judge it.
    pub fn judge(&self, outcome: &Outcome) -> Outcome {
        let mut outcome = outcome.clone();
        with_far_side(&mut outcome, &self.sightings, &self.observed);
        outcome
    }
}

/// A receipt from [`PROBER`] without a token.
pub fn bare(protocol: &str, port: u16, received: u64, sent: u64) -> Receipt {
    Receipt {
        protocol: protocol.to_owned(),
        token: None,
        source: PROBER.to_owned(),
        arrived_at: format!("0.0.0.0:{port}"),
        received_bytes: received,
        sent_bytes: sent,
        unacknowledged: None,
        unsent: None,
        at_ms: 3,
        asked: None,
        presented: None,
        headers: Vec::new(),
    }
}

/// A receipt with [`TOKEN`].
pub fn ours(protocol: &str, port: u16, received: u64, sent: u64) -> Receipt {
    Receipt { token: Some(TOKEN.to_owned()), ..bare(protocol, port, received, sent) }
}

/// What both sides together should say.
pub type Verdict = (Status, Code, Option<Lost>, Confidence, Option<Who>);

pub fn verdict(outcome: &Outcome) -> Verdict {
    let who = outcome.remedy.as_ref().map(|remedy| remedy.who);
    (outcome.status, outcome.code, outcome.lost, outcome.confidence, who)
}

/// Judges every row, and says which ones are judged otherwise than the table says.
pub fn hold(table: Vec<(&str, Outcome, Far<'_>, Verdict)>) {
    let mut wrong = Vec::new();
    for (name, outcome, far, wanted) in table {
        let judged = far.judge(&outcome);
        if verdict(&judged) != wanted {
            wrong.push(format!("{name}:\n  {:?}, not\n  {wanted:?}\n  {}", verdict(&judged), judged.sentence));
        }
        assert_eq!(far.judge(&judged), judged, "{name}: judged twice, it says the same");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The prober's own machine, which watched its packets to the target and saw these.
pub fn near(kinds: &[SightingKind]) -> Sightings {
    let seen = |kind: &SightingKind| Sighting {
        kind: *kind,
        transport: Transport::Tcp,
        remote: "10.9.2.2:443".parse().expect("an address"),
        local: PROBER.parse().expect("an address"),
        at_ms: 5,
        icmp: None,
    };
    Sightings {
        sighted: kinds.iter().map(seen).collect(),
        means: vec![Means::Packets],
        probed: vec!["10.9.2.2".parse().expect("an address")],
        ..Sightings::default()
    }
}
