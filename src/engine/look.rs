//! Takes further looks at a conversation that fails, beside it while it hangs or after it, within the check's own time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::aside;
use super::{segments, stand_in};
use crate::model::ask::Ask;
use crate::model::evidence::{Evidence, Failure};
use crate::model::fact::Fact;
use crate::model::flow::Transport;
use crate::model::look::Look;
use crate::net::trace::Trace;
use crate::net::{Net, channel, failure, path, tcp};
use crate::plan::PlannedProbe;
use crate::probe::{self, websocket};

/// Takes all of these looks at once, at a conversation of which so much is seen; what they find is in the trace as soon as it
/// is known.
pub(super) async fn take(
    looks: Vec<Look>,
    planned: &PlannedProbe,
    address: SocketAddr,
    seen: &Evidence,
    net: &Net,
    trace: &Trace,
) {
    let view = || path::View::new(&planned.ask, address, &net.paths, trace);
    let all = looks.into_iter().map(|look| -> BoxFuture<'_, ()> {
        match look {
            Look::Path => Box::pin(async {
                if let Some(view) = view() {
                    view.follow().await;
                }
            }),
            Look::Answerer => Box::pin(async {
                if let Some(view) = view() {
                    view.measure().await;
                }
            }),
            Look::Beside => Box::pin(async {
                if let Some(view) = view() {
                    view.look_beside().await;
                }
            }),
            Look::FullPackets => Box::pin(segments::fill(&planned.ask, address, seen, net, trace)),
            Look::SmallPackets => Box::pin(segments::measure(&planned.ask, address, seen, net, trace)),
            Look::Again => match planned.ask.probe.protocol().transport() {
                Transport::Tcp => Box::pin(connect_again(&planned.ask, address, seen, trace)),
                Transport::Udp => Box::pin(exchange_again(planned, address, seen, trace)),
            },
            Look::Unasked => Box::pin(say_nothing(planned, address, seen, trace)),
            Look::OtherWay => Box::pin(aside::other_way(planned, net, trace)),
            Look::Lighter => Box::pin(aside::lighter(planned, net, trace)),
            Look::Location => Box::pin(aside::location(planned, address, seen, net, trace)),
            Look::StandIn => Box::pin(stand_in::look(planned, address, seen, net, trace)),
            Look::ProxyItself => Box::pin(aside::proxy_itself(planned, address, trace)),
            Look::ProxyRules => Box::pin(aside::proxy_rules(planned, address, net, trace)),
            Look::Netbios => Box::pin(probe::smb::look_for_netbios(&planned.ask, address, trace)),
            Look::Hello => Box::pin(channel::hello::again(&planned.ask, address, net, trace)),
            Look::OtherScheme => Box::pin(websocket::looks::other_scheme(&planned.ask, address, net, trace)),
            Look::IdleTimes => Box::pin(websocket::looks::idle_times(&planned.ask, address, net, trace)),
            Look::Clock => Box::pin(channel::clock::compare(&planned.ask, address, net, trace)),
        }
    });
    join_all(all).await;
}

/// The least time that a connection is watched over which nothing is said.
const MUTE: Duration = Duration::from_millis(300);
/// The longest that the first ending is taken into account for.
const LONGEST_MUTE: Duration = Duration::from_secs(2);

/// Opens another connection, says nothing over it, and sees whether it is ended all the same.
async fn say_nothing(planned: &PlannedProbe, address: SocketAddr, seen: &Evidence, trace: &Trace) {
    let (apart, begun) = (trace.fork(), Instant::now());
    let ended = match tcp::connect(address, &planned.ask, &apart).await {
        Ok(mut connection) => {
            // How the far side ends what it has just taken arrives as late as its taking did, or as it did before.
            let before = seen.stopped_at().map_or(Duration::ZERO, |step| Duration::from_micros(step.took_ms.0));
            let patience = MUTE.max(begun.elapsed() * 2).max(before.min(LONGEST_MUTE) * 3 / 2);
            let heard = tokio::time::timeout(patience, connection.read_u8()).await;
            heard.ok().and_then(Result::err).map(|error| failure::of_io(&error).0)
        }
        // Where it is cut faster than this program hears that it is open.
        Err(_) => match apart.finish(Failure::Interrupted).stopped_at().and_then(|step| step.error) {
            Some(Failure::Reset) => Some(Failure::Reset),
            _ => return,
        },
    };
    trace.fact(Fact::EndsUnasked, json!(ended));
}

/// Connections that are opened to see whether their first requests are answered: so many at once, as often.
const AGAIN: usize = LATER.len();
const AGAIN_ROUNDS: usize = 2;
/// How much later each is opened: some services have room for only a few that wait, and what a burst loses is no loss.
const LATER: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(100)];
/// The least time after which a system sends a connection request again (RFC 6298 2).
const FIRST_REPEAT: Duration = Duration::from_millis(900);

/// Opens a few more connections, says nothing over them, and counts those whose first request was not answered. A few more
/// are opened where none was, and where all were although something had to be repeated.
pub(super) async fn connect_again(ask: &Ask, address: SocketAddr, seen: &Evidence, trace: &Trace) {
    let one = |later: Duration| async move {
        tokio::time::sleep(later).await;
        let apart = trace.fork();
        let opened = tokio::time::timeout(FIRST_REPEAT, tcp::connect(address, ask, &apart)).await;
        matches!(opened, Ok(Ok(_))) && apart.so_far(Failure::TimedOut).number(Fact::ConnectRepeats).is_none()
    };
    let repeated = [Fact::ConnectRepeats, Fact::SegmentRepeats].into_iter().any(|fact| seen.number(fact).is_some());
    let mut late = 0;
    for made in 1..=AGAIN_ROUNDS {
        late += join_all(LATER.map(one)).await.iter().filter(|opened| !**opened).count();
        trace.fact(Fact::ConnectsTried, AGAIN * made);
        trace.fact(Fact::ConnectsRepeated, late);
        let unsettled = if late == 0 { repeated } else { late == AGAIN * made };
        if !unsettled {
            return;
        }
    }
}

/// Datagrams that are sent to see how many are answered.
const EXCHANGES: u32 = 6;
/// How much later each of them is sent than the one before.
const PACE: Duration = Duration::from_millis(40);
/// How long each may take, twice: services are given far more than they need. Where the check's own time ends before that, half
/// of it counts.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// What part of a check's time that is at least: a check has more of it where machines are known to be busy.
const PART: u32 = 5;

/// How long a conversation that waits is left to its own repetitions first.
const TO_BE_REPEATED: Duration = Duration::from_millis(1200);
/// How often as many are sent, where not one is answered.
const EXCHANGE_ROUNDS: u32 = 2;

/// Sends a few more datagrams, none of them twice, and counts those that are not answered.
async fn exchange_again(planned: &PlannedProbe, address: SocketAddr, seen: &Evidence, trace: &Trace) {
    if seen.stopped_at().is_some() {
        tokio::time::sleep(TO_BE_REPEATED).await;
    }
    let one = |at: u32| async move {
        tokio::time::sleep(PACE * at).await;
        let apart = trace.fork();
        if !probe::is_answered(&planned.ask, address, &apart).await {
            std::future::pending::<()>().await;
        }
    };
    let within = ANSWERED_WITHIN.max(planned.budget / PART);
    let mut waiting = FuturesUnordered::new();
    for made in 1..=EXCHANGE_ROUNDS {
        waiting.extend((0..EXCHANGES).map(one));
        for _ in 0..2 {
            let all = async { while waiting.next().await.is_some() {} };
            // Whether all came in time is in what is left.
            let _ = tokio::time::timeout(within, all).await;
            trace.fact(Fact::ExchangesTried, EXCHANGES * made);
            trace.fact(Fact::ExchangesLost, waiting.len());
            if waiting.is_empty() {
                return;
            }
            if made < EXCHANGE_ROUNDS && waiting.len() == EXCHANGES as usize {
                break;
            }
        }
        if waiting.len() < (EXCHANGES * made) as usize {
            return;
        }
    }
}
