//! One outcome beside what the far side saw: the questions that the judging of both sides asks.

use std::net::IpAddr;

use super::Observed;
use super::ties::{self, Tie, address};
use super::trail::{Own, Trail};
use crate::diagnose::judge;
use crate::model::code::Code;
use crate::model::evidence::{Evidence, Failure, Millis, Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost};
use crate::model::flow::Transport;
use crate::model::probe::Protocol;
use crate::model::run::{Hop, Outcome, Receipt};
use crate::model::sighting::{AnsweredBy, Answering, Means, Sightings};

/// One outcome and the far side's evidence.
pub(super) struct View<'a> {
    pub outcome: &'a Outcome,
    pub observed: &'a Observed<'a>,
    /// The prober's address as the far side saw it.
    pub prober: IpAddr,
    /// What answers on the far side's port; nothing where the far side does not say.
    pub answering: Option<AnsweredBy>,
    /// Whether the far side wanted to answer on that port, and could not open it.
    pub unopened: bool,
    pub trail: Trail,
    pub own: Own,
    far: &'a Sightings,
}

/// The prober has an address of each family, and the far side knows it by one of them: of the other it is known only here.
fn prober(outcome: &Outcome, known: IpAddr) -> IpAddr {
    let local = outcome.ip(Fact::LocalAddress).filter(|ip| !ip.is_unspecified());
    local.filter(|ip| ip.is_ipv4() != known.to_canonical().is_ipv4()).unwrap_or(known)
}

/// What answers on the outcome's port: the far side's endpoint of the same name, else the only one that serves the check
/// (a control channel binds hosts to endpoints, which the other side may know by another name).
fn answering<'a>(outcome: &Outcome, far: &'a Sightings) -> Option<&'a Answering> {
    let port = outcome.port?;
    let fits = |one: &&Answering| one.role == outcome.to && one.transport == outcome.transport && one.port == port;
    let named = far.answers.iter().any(|one| one.endpoint == outcome.endpoint);
    let wanted = |one: &&Answering| {
        if named { one.endpoint == outcome.endpoint } else { one.checks.contains(&outcome.check) }
    };
    let mut found = far.answers.iter().filter(fits).filter(wanted);
    let first = found.next()?;
    (named || found.next().is_none()).then_some(first)
}

impl<'a> View<'a> {
    pub(super) fn of(outcome: &'a Outcome, far: &'a Sightings, observed: &'a Observed<'a>) -> Self {
        let prober = prober(outcome, observed.prober);
        // Behind a proxy the packets are the proxy's; those of the prober's own address are of other tries.
        let proxied = outcome.facts.contains_key(Fact::Proxy.word());
        let trail = if proxied { Trail::default() } else { Trail::of(outcome, far, prober) };
        let own = observed.near.map(|near| Own::of(outcome, near)).unwrap_or_default();
        let answers = answering(outcome, far);
        let by = |one: &Answering| outcome.ip(Fact::Address).map_or(one.by, |target| one.at(target));
        let unopened = answers.is_some_and(|one| one.by == AnsweredBy::Nothing && one.over_v6.is_none());
        Self { outcome, observed, prober, answering: answers.map(by), unopened, trail, own, far }
    }

    pub(super) fn watched(&self, means: Means) -> bool {
        self.far.looked_with(means)
    }

    pub(super) fn responder(&self) -> bool {
        self.answering == Some(AnsweredBy::Responder)
    }

    /// Whether something answers on the port there.
    pub(super) fn answered(&self) -> bool {
        matches!(self.answering, Some(AnsweredBy::Responder | AnsweredBy::Service))
    }

    /// The receipt that says most of this probe: the last one with its token, else the last one from its address.
    pub(super) fn receipt(&self) -> Option<(Tie, &'a Receipt)> {
        let whole = self.outcome.receipts.iter().filter(|one| !is_frame(one));
        let tied = whole.filter_map(|one| Some((ties::tie(one, self.outcome)?, one)));
        tied.max_by_key(|(tie, _)| *tie)
    }

    /// Whether anything came over the WebSocket there, after its upgrade.
    pub(super) fn frame_received(&self) -> bool {
        self.outcome.receipts.iter().any(|one| is_frame(one) && ties::tie(one, self.outcome).is_some())
    }

    /// Whether a receipt may be of this probe after address translation: it has no token, is from the prober, and of this port.
    pub(super) fn perhaps_received(&self) -> bool {
        self.far.receipts.iter().any(|receipt| self.may_be_own(receipt))
    }

    fn may_be_own(&self, receipt: &Receipt) -> bool {
        let port = |text: &str| address(text).map(|address| address.port());
        receipt.token.is_none()
            && address(&receipt.source).is_some_and(|source| source.ip() == self.prober.to_canonical())
            && self.outcome.port.is_some_and(|wanted| port(&receipt.arrived_at) == Some(wanted))
            && transport(receipt) == Some(self.outcome.transport)
    }

    /// The receipts of plain TCP that may be of this probe after address translation: that of the connection which was seen to
    /// be its own, else those of all that were held long enough to say whether the greeting came.
    pub(super) fn perhaps_greeted(&self) -> impl Iterator<Item = &'a Receipt> {
        let seen_as = self.trail.seen_as;
        let exact = move |receipt: &Receipt| seen_as.is_none_or(|source| address(&receipt.source) == Some(source));
        let greeted = move |receipt: &&Receipt| {
            receipt.protocol == Protocol::Tcp.word() && receipt.unacknowledged.is_some() && exact(receipt)
        };
        self.far.receipts.iter().filter(greeted).filter(|receipt| self.may_be_own(receipt))
    }

    /// Whether what came from this address is of the prober's own machine: where addresses are translated, the prober's address
    /// is that of the device that does so.
    pub(super) fn is_probers_own(&self, from: IpAddr) -> bool {
        let local = self.outcome.ip(Fact::LocalAddress).filter(|ip| !ip.is_unspecified());
        from.to_canonical() == local.unwrap_or(self.prober).to_canonical()
    }

    /// The probe went through a proxy: its packets then have another source, and another target.
    pub(super) fn through_proxy(&self) -> bool {
        self.outcome.facts.contains_key(Fact::Proxy.word())
    }

    pub(super) fn text(&self, fact: Fact) -> Option<&'a str> {
        self.outcome.text(fact)
    }

    pub(super) fn number(&self, fact: Fact) -> Option<u64> {
        self.outcome.number(fact)
    }

    pub(super) fn holds(&self, fact: Fact) -> bool {
        self.outcome.holds(fact)
    }

    fn stopped_at(&self) -> Option<&'a Step> {
        self.outcome.steps.iter().rev().find(|step| step.error.is_some())
    }

    pub(super) fn failed_within(&self, time: Millis) -> bool {
        self.stopped_at().is_some_and(|step| step.took_ms < time)
    }

    pub(super) fn was_refused(&self) -> bool {
        self.stopped_at().is_some_and(|step| step.error == Some(Failure::Refused))
    }

    pub(super) fn timed_out(&self) -> bool {
        self.stopped_at().is_some_and(|step| step.error == Some(Failure::TimedOut))
    }

    /// The addresses spoken to, each once.
    fn addresses(&self) -> Vec<&'a str> {
        let mut list: Vec<&str> = Vec::new();
        for step in self.outcome.steps.iter().filter(|step| step.kind == StepKind::Connect) {
            if let Some(address) = step.address.as_deref().filter(|address| !list.contains(address)) {
                list.push(address);
            }
        }
        list
    }

    pub(super) fn several_addresses(&self) -> bool {
        self.addresses().len() > 1
    }

    /// The target as people read it: `host:port`, with the address where that says more.
    pub(super) fn target(&self) -> String {
        let named = self.outcome.target.as_deref().unwrap_or(&self.outcome.endpoint);
        match self.addresses().as_slice() {
            [only] if *only != named && !self.through_proxy() => {
                let ip = address(only).map_or_else(|| (*only).to_owned(), |address| address.ip().to_string());
                format!("{named} ({ip})")
            }
            _ => named.to_owned(),
        }
    }

    /// The rule to ask for, in the check's words.
    pub(super) fn rule(&self) -> String {
        let Outcome { transport, from, to, rule, .. } = self.outcome;
        let port = self.outcome.port.map_or_else(String::new, |port| format!(" {port}"));
        let rule = match rule.as_str() {
            "" => format!("Allow {transport}{port} from {from} to {to} ({}).", self.target()),
            rule => rule.to_owned(),
        };
        let ip = |fact| self.text(fact).and_then(address).map(|address| address.ip());
        let source = ip(Fact::LocalAddress)
            .filter(|ip| !ip.is_unspecified())
            .or_else(|| self.text(Fact::SourceAddress)?.parse().ok());
        match (source, ip(Fact::Address)) {
            (Some(source), Some(target)) if !self.through_proxy() => {
                format!("{rule} (Source {source}, destination {target}, {transport}{port}.)")
            }
            _ => rule,
        }
    }

    /// Whether one side alone has seen between which devices the request is lost.
    pub(super) fn knows_where_it_vanishes(&self) -> bool {
        let said = self.outcome.sentence.contains("The far side watched its packets");
        self.outcome.lost == Some(Lost::Request)
            && !said
            && self.outcome.facts.contains_key(Fact::VanishesBefore.word())
    }

    /// The ports on which the far side's profile has the outcome's flow.
    pub(super) fn ports_there(&self) -> Vec<u16> {
        let of_flow = |one: &&Answering| {
            one.role == self.outcome.to
                && one.transport == self.outcome.transport
                && one.checks.contains(&self.outcome.check)
        };
        self.far.answers.iter().filter(of_flow).map(|one| one.port).collect()
    }

    /// Where the request got to, as far as devices on the way answered for it.
    pub(super) fn last_hop(&self) -> Option<Hop> {
        self.outcome.path.last_hop.filter(|_| !self.through_proxy())
    }

    /// The other half of the rule: that of the answers.
    pub(super) fn rule_back(&self) -> String {
        let Outcome { transport, from, to, .. } = self.outcome;
        format!(
            "Let the answers pass on their way back: {transport} from {} ({to}) to {} ({from}), as replies of established \
             connections. A stateful firewall does so by itself, unless the way back does not lead through it: look for a \
             route back that differs from the way there (asymmetric routing).",
            self.target(),
            self.prober
        )
    }

    /// What the silence of a probe is called once it is known which half was lost.
    pub(super) fn code_of_silence(&self, lost: Lost) -> Code {
        match (self.outcome.transport, lost, self.protocol()) {
            // What left this machine was not kept back by it.
            (Transport::Tcp, ..) if self.outcome.code == Code::LocalBlock => Code::Dropped,
            (Transport::Tcp, ..) => self.outcome.code,
            (Transport::Udp, Lost::Reply, Some(Protocol::Tftp)) => Code::TftpTransferPortBlocked,
            (Transport::Udp, Lost::Reply, Some(Protocol::SqlBrowser)) => Code::SqlBrowserSilent,
            (Transport::Udp, ..) => Code::Dropped,
        }
    }

    /// The outcome's own code where it says more than how a port was blocked, else `code`.
    pub(super) fn specific(&self, code: Code) -> Code {
        if self.outcome.code == Code::SqlInstancePortBlocked { self.outcome.code } else { code }
    }

    pub(super) fn protocol(&self) -> Option<Protocol> {
        match self.outcome.code {
            Code::NoAnswer | Code::TftpTransferPortBlocked => Some(Protocol::Tftp),
            Code::SqlBrowserSilent => Some(Protocol::SqlBrowser),
            _ => {
                let (_, receipt) = self.receipt()?;
                Protocol::ALL.into_iter().find(|protocol| protocol.word() == receipt.protocol)
            }
        }
    }

    /// Whether a refusal came from the host that was asked, as far as its sender or the routers that it passed tell.
    pub(super) fn refused_from_as_far_as_the_host(&self) -> bool {
        let Some(host) = self.text(Fact::Address).and_then(address).map(|address| address.ip()) else { return false };
        if let Some(from) = self.outcome.path.rejected_by.and_then(|icmp| icmp.from) {
            return from.to_canonical() == host;
        }
        judge::refusal_is_of_host(&Evidence { steps: Vec::new(), facts: self.outcome.facts.clone() }, host)
    }

    /// Whether a missing receipt proves nothing, because some found no room.
    pub(super) fn unreceipted(&self) -> bool {
        self.far.missed > 0
    }

    /// The outcome's judgement as it is, to be changed in part.
    pub(super) fn again(&self) -> Judgement {
        Judgement {
            status: self.outcome.status,
            code: self.outcome.code,
            lost: self.outcome.lost,
            confidence: self.outcome.confidence,
            sentence: self.outcome.sentence.clone(),
            remedy: self.outcome.remedy.clone(),
        }
    }

    /// How much it proves that nothing of the prober was seen.
    pub(super) fn proof_of_absence(&self) -> Confidence {
        let missed = self.trail.ended && !self.watched(Means::Packets);
        if self.trail.strangers || missed { Confidence::Likely } else { Confidence::Proven }
    }

    /// What makes it less than proven that nothing arrived, where that is so.
    pub(super) fn doubt(&self) -> String {
        if !self.trail.strangers {
            return String::new();
        }
        format!(
            " (Unknown addresses asked on that port meanwhile: if addresses are translated on the way, one of them may have been \
             {}.)",
            self.prober
        )
    }

    /// How much it proves that something of the prober was seen.
    pub(super) fn proof_of_presence(&self) -> Confidence {
        if self.trail.vague { Confidence::Likely } else { Confidence::Proven }
    }
}

fn is_frame(receipt: &Receipt) -> bool {
    receipt.asked.as_deref() == Some(Receipt::FIRST_FRAME)
}

fn transport(receipt: &Receipt) -> Option<Transport> {
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.word() == receipt.protocol)?;
    Some(protocol.transport())
}
