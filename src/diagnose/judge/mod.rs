//! One conversation's evidence to one judgement; pure.
//!
//! The stage in which a conversation stopped decides which file judges: names, reach, proxy and TLS are the same for
//! every protocol; the rest is the protocol's own.

mod http;
mod intercepted;
mod loss;
mod name;
mod other_way;
mod packets;
mod proxy;
mod reach;
mod smb;
mod sql;
mod sql_browser;
mod stage;
mod tcp;
mod tftp;
mod tls;
mod unasked;
mod websocket;

use std::net::{IpAddr, SocketAddr};

use crate::model::ask::Ask;
use crate::model::code::Code;
use crate::model::evidence::{Evidence, Failure, Icmp};
use crate::model::fact::Fact;
use crate::model::finding::Judgement;
use crate::model::flow::Flow;
use crate::model::run::{Hop, Outcome};
use crate::model::way::Way;

pub use intercepted::host_of;
pub use name::beside as with_names;
pub(in crate::diagnose) use other_way::withdraw;
pub use reach::has_stand_in;
pub(super) use reach::is_host as refusal_is_of_host;
pub use stage::judge;
pub(in crate::diagnose) use tls::inspector;

/// An outcome's new judgement, with what was asked beside its flow.
pub(in crate::diagnose) fn compared_again(outcome: &Outcome, judgement: Judgement) -> Judgement {
    other_way::compared_again(outcome, http::compared_again(outcome, judgement))
}

/// The device that ends the way, as the record names it.
#[must_use]
pub fn last_hop(evidence: &Evidence, code: Code) -> Option<Hop> {
    let address = evidence.text(Fact::Address).and_then(|address| address.parse::<SocketAddr>().ok());
    reach::last_hop(evidence, address.map(|address| address.ip()), code)
}

/// The ICMP message that answered the packets of a further look, where those of the conversation itself were only silent.
#[must_use]
pub fn rejected_aside(evidence: &Evidence) -> Option<Icmp> {
    let silent = evidence.stopped_at().is_some_and(|step| step.error == Some(Failure::TimedOut));
    Way::of_port(evidence).end.filter(|_| silent)?.icmp
}

/// One conversation with one address, ready to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub flow: &'a Flow,
    pub ask: &'a Ask,
    /// The first hop's address; absent where the name gave none.
    pub address: Option<SocketAddr>,
    pub evidence: &'a Evidence,
}

impl Case<'_> {
    /// The target as people read it: `host:port`, with the address where that says more.
    #[must_use]
    pub fn target(&self) -> String {
        let named = self.ask.target();
        match self.address {
            Some(address) if self.ask.proxy().is_none() && address.to_string() != named => {
                format!("{named} ({})", address.ip())
            }
            _ => named,
        }
    }

    /// Whether an ICMP message ended the conversation that is not the target's own.
    fn turned_away_by_another(&self) -> bool {
        let sender = self.evidence.stopped_at().and_then(|step| step.icmp).and_then(|icmp| icmp.from);
        sender.is_some_and(|from| self.address.is_none_or(|target| target.ip().to_canonical() != from.to_canonical()))
    }

    /// Whether an ICMP message of this machine's own ended the conversation.
    fn turned_away_by_this_machine(&self) -> bool {
        let sender = self.evidence.stopped_at().and_then(|step| step.icmp).and_then(|icmp| icmp.from);
        sender.is_some_and(|from| self.own_address() == Some(from.to_canonical()))
    }

    /// Whether the conversation that ran out of time was still moving: the last sign of it came in the second half of the time
    /// that its last step took. Pauses are long where packets are lost, but a conversation that is stuck never ends one.
    fn was_moving(&self) -> bool {
        let took = self.evidence.stopped_at().map_or(0, |step| step.took_ms.0 / 1000);
        self.evidence.number(Fact::QuietMs).is_some_and(|quiet| quiet * 2 < took)
    }

    /// The rule to ask the firewall team for, in the check's words.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.flow.remedy
    }

    /// The address from which this machine speaks to the target, where it is known.
    fn own_address(&self) -> Option<IpAddr> {
        let text = |fact| self.evidence.text(fact);
        let local = text(Fact::LocalAddress).and_then(|local| local.parse::<SocketAddr>().ok()).map(|local| local.ip());
        let own = local.filter(|ip| !ip.is_unspecified()).or_else(|| text(Fact::SourceAddress)?.parse().ok());
        own.map(|ip| ip.to_canonical())
    }

    /// The rule with the addresses, protocol and port that it must name, where they are known.
    #[must_use]
    pub fn exact_rule(&self) -> String {
        match (self.own_address(), self.address) {
            (Some(source), Some(to)) if self.ask.proxy().is_none() => {
                let transport = self.ask.probe.protocol().transport();
                let target = to.ip().to_canonical();
                format!("{} (Source {source}, destination {target}, {transport} {}.)", self.rule(), to.port())
            }
            _ => self.rule().to_owned(),
        }
    }
}

/// A judgement for a failure that no judge has a better word for: said plainly, with everything known.
fn unforeseen(case: &Case) -> Judgement {
    let step = case.evidence.stopped_at();
    let what = step.and_then(|step| step.error).map_or_else(
        || "the conversation ended without a result".to_owned(),
        |failure| format!("{failure:?} in a step that should not fail so"),
    );
    Judgement::error(format!(
        "{}: {what}. This is the tool's own trouble: please report it with the run record.",
        case.target()
    ))
}
