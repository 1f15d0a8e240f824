//! Why an idle WebSocket died: when, how, and how often something must be said to keep them.

use super::{Case, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::look::{Idle, KeptAlive};
use crate::model::span::Span;

/// The connection died while nothing was said, or was found dead after that.
pub(super) fn killed(case: &Case, hold: Span, stage: StepKind, failure: Failure) -> Judgement {
    let target = case.target();
    let life = Life::of(case, hold, stage);
    let after = life.when();
    if let Some(code) = case.evidence.number(Fact::CloseCode) {
        return Judgement::warn(
            Code::WsIdleKilled,
            Confidence::Likely,
            format!(
                "{target} closed the idle WebSocket itself {after}, with a Close frame (code {code}).{}",
                life.others()
            ),
        )
        .remedy(
            Who::Product,
            format!(
                "Raise the idle time of WebSockets on {target} above the product's keep-alive interval.{}",
                life.advice()
            ),
        );
    }
    let how = match (stage, failure) {
        (StepKind::Hold, Failure::Reset) => format!("was cut by a reset {after}"),
        (StepKind::Hold, Failure::Closed) => format!("was closed (FIN) {after}"),
        (_, Failure::Reset) => {
            format!("was given up without a sign {after}: the ping that came then was answered by a reset")
        }
        (_, Failure::Closed) => {
            format!("was given up without a sign {after}: the ping that came then was answered by closing")
        }
        (_, Failure::TimedOut) => format!("was dead {after}, without a sign: a ping then stayed unanswered"),
        (_, Failure::Malformed) => format!("carried something else than WebSocket frames {after}"),
        _ => return unforeseen(case),
    };
    let what = if life.limits_age() {
        "a proxy or firewall in the path limits how long connections live, whether idle or not"
    } else {
        "a proxy or firewall in the path does not keep idle connections"
    };
    let sentence = format!("The idle WebSocket to {target} {how}: {what}.{}", life.others());
    Judgement::fail(Code::WsIdleKilled, life.confidence(), sentence).remedy(Who::Network, life.remedy(case, hold))
}

/// A ping revived the connection, but what a server says first after the idle time does not arrive.
pub(super) fn push_lost(case: &Case, hold: Span) -> Judgement {
    let life = Life::of(case, hold, StepKind::Reply);
    Judgement::fail(
        Code::WsIdleKilled,
        Confidence::Likely,
        format!(
            "After {hold} without traffic, what the far side of the WebSocket to {} pushed did not arrive, although a ping \
             from here was answered then: a wake-up would be lost.{}",
            case.target(),
            life.others()
        ),
    )
    .lost(Lost::Reply)
    .remedy(Who::Network, life.remedy(case, hold))
}

/// What is known of how long connections live there; times in milliseconds.
struct Life {
    /// When the check's own connection ended with a sign.
    ended: Option<u64>,
    /// The longest idle time that one survived; 0 where none did.
    survived: u64,
    /// The shortest time after which one was dead.
    dead: u64,
    kept: Option<KeptAlive>,
}

impl Life {
    fn of(case: &Case, hold: Span, stage: StepKind) -> Self {
        let read = |fact| case.evidence.fact(fact).cloned();
        let rungs: Vec<Idle> =
            read(Fact::IdleTimes).and_then(|rungs| serde_json::from_value(rungs).ok()).unwrap_or_default();
        let ended = case.evidence.number(Fact::DiedAfterMs).filter(|_| stage == StepKind::Hold);
        let longest = u64::try_from(hold.0.as_millis()).unwrap_or(u64::MAX);
        let deaths = rungs.iter().filter(|rung| !rung.survived).map(|rung| rung.died_after_ms.unwrap_or(rung.idle_ms));
        let dead = deaths.chain([ended.unwrap_or(longest)]).min().unwrap_or(longest);
        let survived = rungs.iter().filter(|rung| rung.survived && rung.idle_ms < dead).map(|rung| rung.idle_ms).max();
        let kept = read(Fact::KeptAlive).and_then(|kept| serde_json::from_value(kept).ok());
        Self { ended, survived: survived.unwrap_or(0), dead, kept }
    }

    /// "after 30s", or the bounds where it died in silence.
    fn when(&self) -> String {
        match (self.ended, self.survived) {
            (Some(ended), _) => format!("after {} without traffic", span(ended)),
            (None, 0) => format!("after {} without traffic", span(self.dead)),
            (None, survived) => format!("after {} to {} without traffic", span(survived), span(self.dead)),
        }
    }

    /// A connection on which something was said died as well.
    fn limits_age(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| !kept.survived)
    }

    /// A connection on which something was said outlived those on which nothing was.
    fn keeps_alive(&self) -> Option<&KeptAlive> {
        self.kept.as_ref().filter(|kept| kept.survived && kept.for_ms >= self.dead)
    }

    fn others(&self) -> String {
        match (&self.kept, self.keeps_alive()) {
            (_, Some(kept)) => {
                format!(" One with a ping every {} was still open after {}.", span(kept.every_ms), span(kept.for_ms))
            }
            (Some(kept), _) if !kept.survived => {
                format!(" One with a ping every {} died as well, within {}.", span(kept.every_ms), span(kept.for_ms))
            }
            _ => String::new(),
        }
    }

    /// How often something must be said, as far as it was seen.
    fn advice(&self) -> String {
        match self.keeps_alive() {
            Some(kept) => {
                let every = span(self.survived.max(kept.every_ms));
                format!(" A keep-alive of the product or the web server at least every {every} keeps it open.")
            }
            None => String::new(),
        }
    }

    fn confidence(&self) -> Confidence {
        if self.keeps_alive().is_some() { Confidence::Proven } else { Confidence::Likely }
    }

    fn remedy(&self, case: &Case, hold: Span) -> String {
        let place = format!("{}:{}", case.ask.host, case.ask.port);
        if self.limits_age() {
            return format!(
                "Raise the limit on the life of connections to {place} in firewalls, proxies and reverse proxies above {hold}. {}",
                case.rule()
            );
        }
        format!(
            "Raise the idle timeout for connections to {place} in firewalls, address translation and proxies above {hold}.{} {}",
            self.advice(),
            case.rule()
        )
    }
}

/// Milliseconds as a span that reads well: whole seconds from ten seconds on, tenths from one on.
fn span(millis: u64) -> String {
    match millis {
        10_000.. => Span::seconds((millis + 500) / 1000).to_string(),
        1_000.. if millis % 1000 >= 50 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        1_000.. => Span::seconds(millis / 1000).to_string(),
        _ => Span::millis(millis).to_string(),
    }
}
