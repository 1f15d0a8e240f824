//! What one flow has shown of large packets on the way to a host is told of the others there, whose exchange was small: the
//! product may send more over them. It changes no verdict, for a device may treat ports differently.

use std::net::SocketAddr;

use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Lost, Status};
use crate::model::flow::Expect;
use crate::model::run::Outcome;

/// Adds a sentence to the flows that work on a way that loses large packets.
pub fn tell(outcomes: &mut [Outcome]) {
    let shown: Vec<Loss> = outcomes.iter().filter_map(Loss::of).collect();
    for outcome in outcomes.iter_mut().filter(|outcome| is_small(outcome)) {
        let told = shown.iter().find(|loss| loss.concerns(outcome)).map(Loss::sentence);
        if let Some(told) = told.filter(|told| !outcome.sentence.contains(told.as_str())) {
            outcome.sentence = format!("{} {told}", outcome.sentence);
        }
    }
}

/// Large packets that were shown to be lost.
struct Loss {
    check: String,
    from: Option<String>,
    address: SocketAddr,
    passes: u64,
    half: Option<Lost>,
}

impl Loss {
    fn of(outcome: &Outcome) -> Option<Self> {
        let lost = matches!(outcome.code, Code::LargePacketsLost | Code::TftpStalled) && outcome.status != Status::Pass;
        Some(Self {
            check: outcome.check.clone(),
            from: outcome.tested_from.as_ref().map(ToString::to_string),
            address: address(outcome)?,
            passes: outcome.number(Fact::LargestPacket).filter(|_| lost)?,
            half: outcome.lost,
        })
    }

    /// Whether it is on the way of a flow that has not shown the contrary.
    fn concerns(&self, outcome: &Outcome) -> bool {
        let number = |fact| outcome.number(fact).unwrap_or_default();
        let moved = match self.half {
            Some(Lost::Request) => number(Fact::SentBytes),
            Some(Lost::Reply) => number(Fact::ReceivedBytes),
            None => number(Fact::SentBytes).max(number(Fact::ReceivedBytes)),
        };
        self.from == outcome.tested_from.as_ref().map(ToString::to_string)
            && address(outcome).is_some_and(|other| other.ip() == self.address.ip())
            && moved < self.passes * 2
            && !outcome.holds(Fact::FullPackets)
    }

    fn sentence(&self) -> String {
        let way = match self.half {
            Some(Lost::Request) => "on the way there",
            Some(Lost::Reply) => "on the way back",
            None => "on the way",
        };
        format!(
            "What was exchanged here is small; packets of more than {} bytes are lost {way}, as {} shows.",
            self.passes, self.check
        )
    }
}

fn is_small(outcome: &Outcome) -> bool {
    outcome.status == Status::Pass && outcome.code == Code::Ok && outcome.expect == Expect::default()
}

fn address(outcome: &Outcome) -> Option<SocketAddr> {
    outcome.text(Fact::Address)?.parse().ok()
}
