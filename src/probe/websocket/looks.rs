//! Second questions about a WebSocket: the same upgrade over the other scheme, and how long idle connections live.
//!
//! They are whole conversations of their own, recorded aside and with tokens of their own; only what they come to is
//! published. Their times are short: whoever does not answer within them is not waited for.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::{Talk, whole_millis};
use crate::model::ask::{Ask, TlsExpectation, Trust};
use crate::model::evidence::{Evidence, Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::look::{Idle, KeptAlive, OtherScheme};
use crate::model::probe::{Probe, Websocket};
use crate::model::span::Span;
use crate::model::token::Token;
use crate::net::Net;
use crate::net::channel::{self, Security, Tunnel};
use crate::net::trace::Trace;

/// How long an upgrade, or an answer after idleness, is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// The idle times that are tried besides the check's own, in eighths of it.
const EIGHTHS: [u32; 4] = [1, 2, 4, 6];

/// Tries the upgrade over HTTPS where it was asked for in plain, and the other way round, on the scheme's own port.
pub async fn other_scheme(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) {
    let Probe::Websocket(settings) = &ask.probe else { return };
    let https = !settings.https.unwrap_or(false);
    let port = if https { 443 } else { 80 };
    // What its certificate is worth is the check's business where the check uses it.
    let TlsExpectation { ca, name, .. } = ask.tls.clone();
    let tls = TlsExpectation { trust: Trust::Anyone, ca, name, ..TlsExpectation::default() };
    let settings = Websocket { https: Some(https), hold: None, ..settings.clone() };
    let ask = Ask { port, tls, ..asking(ask, settings) };
    let address = if ask.proxy().is_some() { address } else { SocketAddr::new(address.ip(), port) };
    let seen = converse(&ask, address, net, trace, PATIENCE).await;
    let outcome = OtherScheme {
        https,
        port,
        works: works(&seen),
        trusted: seen.fact(Fact::TlsFault).is_none(),
        status: seen.number(Fact::Status).and_then(|status| u16::try_from(status).ok()),
    };
    trace.fact(Fact::OtherScheme, serde_json::to_value(outcome).unwrap_or_default());
}

/// Holds connections idle for several times side by side, and one that says something now and then.
pub async fn idle_times(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) {
    let Probe::Websocket(settings) = &ask.probe else { return };
    let Some(Span(hold)) = settings.hold else { return };
    let mut rungs: FuturesUnordered<_> = EIGHTHS
        .into_iter()
        .map(|eighths| {
            let time = hold * eighths / 8;
            let ask = asking(ask, Websocket { hold: Some(Span(time)), ..settings.clone() });
            async move { idle(time, &converse(&ask, address, net, trace, time + PATIENCE).await) }
        })
        .collect();
    let rungs = async {
        let mut known: Vec<Idle> = Vec::new();
        while let Some(rung) = rungs.next().await {
            known.extend(rung);
            known.sort_by_key(|rung| rung.idle_ms);
            trace.fact(Fact::IdleTimes, serde_json::to_value(&known).unwrap_or_default());
        }
    };
    let kept = asking(ask, Websocket { hold: None, ..settings.clone() });
    tokio::join!(rungs, keep_alive(&kept, address, net, trace, hold));
}

/// The same question with other settings, and a token of its own.
fn asking(ask: &Ask, settings: Websocket) -> Ask {
    Ask { probe: Probe::Websocket(settings), token: Token::random(), ..ask.clone() }
}

async fn converse(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace, limit: Duration) -> Evidence {
    let aside = trace.fork();
    let _ = timeout(limit, crate::probe::run(ask, address, net, &aside)).await;
    aside.finish(Failure::TimedOut)
}

fn works(seen: &Evidence) -> bool {
    // A responder says so where its push did not come; of a real service nothing more than the ping is known.
    seen.stopped_at().is_none() && seen.holds(Fact::Pong) && seen.fact(Fact::Pushed) != Some(&false.into())
}

/// What became of one idle connection; nothing where it was not even opened.
fn idle(time: Duration, seen: &Evidence) -> Option<Idle> {
    let was_idle = seen.steps.iter().any(|step| step.kind == StepKind::Hold);
    was_idle.then(|| Idle {
        idle_ms: whole_millis(time),
        survived: works(seen),
        died_after_ms: seen.number(Fact::DiedAfterMs).filter(|_| !seen.passed(StepKind::Hold)),
    })
}

/// A connection on which a ping goes out every eighth of the time.
async fn keep_alive(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace, hold: Duration) {
    let Probe::Websocket(settings) = &ask.probe else { return };
    let aside = trace.fork();
    let every = hold / 8;
    let opening = async {
        let security = if settings.https.unwrap_or(false) { Security::Tls } else { Security::Plain };
        let stream = channel::open(ask, address, security, Tunnel::Always, net, &aside).await?;
        super::upgrade::open(settings, ask, stream, &address.to_string(), &aside).await
    };
    let Ok(Ok((socket, _))) = timeout(PATIENCE, opening).await else { return };
    let mut talk = Talk { socket, ask, trace: &aside, peer: address.to_string(), pushed: false };
    let mut kept = KeptAlive { every_ms: whole_millis(every), for_ms: 0, survived: true };
    for turn in 1..=8 {
        // Listening ends early where the connection does.
        let ended = timeout(every, talk.listen(None)).await.is_ok();
        kept.survived = !ended && matches!(timeout(PATIENCE, talk.ping()).await, Ok(Ok(())));
        kept.for_ms = whole_millis(every * turn);
        trace.fact(Fact::KeptAlive, serde_json::to_value(&kept).unwrap_or_default());
        if !kept.survived {
            return;
        }
    }
    talk.goodbye().await;
}
