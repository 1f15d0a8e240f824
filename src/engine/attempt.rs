//! One attempt of one check: the name resolved, then every address asked at once, each judged for itself.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, OptionFuture, join_all, ready, select};
use tokio::sync::watch;
use tokio::time::Instant;

use super::combine::{self, Heard};
use super::{aside, look};
use crate::diagnose::judge::{self, Case};
use crate::diagnose::looks;
use crate::model::ask::host_port;
use crate::model::evidence::{Evidence, Failure, Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::Judgement;
use crate::model::flow::Transport;
use crate::model::look::Look;
use crate::model::run::CutShort;
use crate::net::Net;
use crate::net::trace::Trace;
use crate::plan::PlannedProbe;

/// A conversation that takes longer is likely to hang: most answers come within a second.
const MOST_PATIENCE: Duration = Duration::from_millis(1200);

/// How often is looked whether a conversation moves.
const NOTICE: Duration = Duration::from_millis(250);

/// What ends attempts early: `Some` once the run is cut short.
pub(super) type Cut = watch::Receiver<Option<CutShort>>;

/// What one attempt gave.
pub(super) struct Attempt {
    pub judgement: Judgement,
    pub evidence: Evidence,
}

/// Makes one attempt, which ends at `limit` at the latest.
pub(super) async fn make(
    planned: &PlannedProbe,
    net: &Net,
    started: std::time::Instant,
    limit: Instant,
    cut: &Cut,
) -> Attempt {
    let naming = Trace::new(started);
    note_choice(planned, &naming);
    let (host, port) = planned.ask.first_hop();
    let found = naming.fork();
    let other_way = || -> BoxFuture<'_, ()> { Box::pin(aside::other_way(planned, net, &found)) };
    let resolving = pin!(within(limit, cut, net.resolver.resolve(host, &naming)));
    let (resolved, looking) = match select(resolving, pin!(tokio::time::sleep(patience(limit)))).await {
        Either::Left((resolved, _)) => (resolved, None),
        Either::Right(((), resolving)) => match select(resolving, other_way()).await {
            Either::Left((resolved, looking)) => (resolved, Some(looking)),
            Either::Right(((), resolving)) => (resolving.await, Some(Box::pin(ready(())) as BoxFuture<'_, ()>)),
        },
    };
    let ended = match resolved {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(_)) => Err(Failure::Internal),
        Err(ended) => Err(ended),
    };
    let addresses = match ended {
        Ok(addresses) => addresses,
        Err(ended) => {
            let looking = within(limit, cut, looking.unwrap_or_else(other_way));
            return unnamed(planned, naming.finish(ended), looking, &found).await;
        }
    };
    let mut names = naming.finish(Failure::NameServerSilent);
    let others = other_addresses(planned, &names, &addresses);
    let mut conversations: Vec<BoxFuture<'_, Heard>> = Vec::with_capacity(addresses.len());
    for ip in addresses {
        let address = SocketAddr::new(ip, port);
        conversations.push(Box::pin(converse(planned, address, net, naming.fork(), limit, cut.clone())));
    }
    let (heard, open) = tokio::join!(join_all(conversations), opening(others, planned, limit, cut));
    if !open.is_empty() && heard.iter().all(Heard::never_opened) {
        names.facts.insert(Fact::OtherOpens.word().to_owned(), open.into());
    }
    combine::combine(planned, names, heard)
}

/// The addresses that the other way of resolving gives, where it shares none with the one that decides.
fn other_addresses(planned: &PlannedProbe, names: &Evidence, used: &[IpAddr]) -> Vec<SocketAddr> {
    let (_, port) = planned.ask.first_hop();
    let of = |fact| names.fact(fact).and_then(|list| list.as_array()).into_iter().flatten();
    let given = of(Fact::SystemAddresses).chain(of(Fact::DnsAddresses)).filter_map(|ip| ip.as_str()?.parse().ok());
    let both = names.fact(Fact::SystemAddresses).is_some() && names.fact(Fact::DnsAddresses).is_some();
    let tcp = planned.ask.probe.protocol().transport() == Transport::Tcp;
    given.filter(|ip| both && tcp && !used.contains(ip)).map(|ip| SocketAddr::new(ip, port)).collect()
}

/// Those of the addresses that accept a connection. Nothing is said to them: they may be anybody's.
async fn opening(addresses: Vec<SocketAddr>, planned: &PlannedProbe, limit: Instant, cut: &Cut) -> Vec<String> {
    let connects = addresses.into_iter().map(async |address| {
        let trace = Trace::new(std::time::Instant::now());
        let opened = within(limit, cut, crate::net::tcp::connect(address, &planned.ask, &trace)).await;
        matches!(opened, Ok(Ok(_))).then(|| address.ip().to_string())
    });
    join_all(connects).await.into_iter().flatten().collect()
}

/// Which proxy settings there are, and which decided: known whatever becomes of the proxy, its name included.
fn note_choice(planned: &PlannedProbe, trace: &Trace) {
    if let Some(proxy) = planned.ask.proxy() {
        trace.fact(Fact::Proxy, host_port(&proxy.host, proxy.port));
    }
    let choice = &planned.choice;
    if !choice.sources.is_empty() {
        trace.fact(Fact::ProxySources, choice.sources.clone());
    }
    if let Some(decided) = choice.decided {
        trace.fact(Fact::ProxySource, decided.word());
    }
    if let Some(exception) = &choice.exception {
        trace.fact(Fact::NoProxy, exception.as_str());
    }
}

/// The name gave no address: that is the whole conversation.
async fn unnamed(
    planned: &PlannedProbe,
    mut evidence: Evidence,
    looking: impl Future<Output = Result<(), Failure>>,
    found: &Trace,
) -> Attempt {
    let judged = |evidence: &Evidence| {
        let case = Case { flow: &planned.flow, ask: &planned.ask, address: None, evidence };
        let judgement = judge::judge(&case);
        (looks::wanted(&case, &judgement), judgement)
    };
    let (looks, judgement) = judged(&evidence);
    if !looks.contains(&Look::OtherWay) {
        return Attempt { judgement, evidence };
    }
    // Without time for it the judgement rests on what is known.
    let _ = looking.await;
    evidence.facts.extend(found.finish(Failure::Interrupted).facts);
    Attempt { judgement: judged(&evidence).1, evidence }
}

async fn converse(
    planned: &PlannedProbe,
    address: SocketAddr,
    net: &Net,
    trace: Trace,
    limit: Instant,
    cut: Cut,
) -> Heard {
    if planned.port_found_by.is_some() {
        trace.fact(Fact::InstancePort, planned.ask.port);
    }
    note_choice(planned, &trace);
    let aside = trace.fork();
    let asking = pin!(within(limit, &cut, noticing(&trace, crate::probe::run(&planned.ask, address, net, &trace))));
    let (asked, looking, begun) = match select(asking, pin!(tokio::time::sleep(patience(limit)))).await {
        Either::Left((asked, _)) => (asked, None, Vec::new()),
        Either::Right(((), asking)) => {
            let seen = trace.so_far(Failure::TimedOut);
            let looks = wanted(planned, address, &seen);
            let begun = looks.clone();
            let aside = &aside;
            let looking: BoxFuture<'_, ()> =
                Box::pin(async move { look::take(begun, planned, address, &seen, net, aside).await });
            match select(asking, looking).await {
                Either::Left((asked, looking)) => (asked, Some(looking), looks),
                Either::Right(((), asking)) => (asking.await, None, looks),
            }
        }
    };
    let mut evidence = trace.finish(asked.err().unwrap_or(Failure::Internal));
    note_answer(planned, address, net, &evidence);
    let mut looks = wanted(planned, address, &evidence);
    let still_wanted = !looks.is_empty();
    looks.retain(|look| !begun.contains(look));
    if still_wanted {
        let rest = async {
            tokio::join!(look::take(looks, planned, address, &evidence, net, &aside), OptionFuture::from(looking));
        };
        // Without time for it the judgement rests on what is known.
        let _ = within(limit, &cut, rest).await;
    }
    evidence.facts.extend(aside.finish(Failure::Interrupted).facts);
    Heard { address, judgement: judged(planned, address, &evidence), evidence }
}

/// A port that accepts or refuses connections shows other checks of the same host how far packets come.
fn note_answer(planned: &PlannedProbe, address: SocketAddr, net: &Net, evidence: &Evidence) {
    if planned.ask.probe.protocol().transport() != Transport::Tcp {
        return;
    }
    let refused = |step: &Step| step.error == Some(Failure::Refused) && step.icmp.is_none();
    let accepts = evidence.passed(StepKind::Connect);
    if accepts || evidence.stopped_at().is_some_and(refused) {
        net.paths.answers(address, accepts);
    }
}

fn judged(planned: &PlannedProbe, address: SocketAddr, evidence: &Evidence) -> Judgement {
    judge::judge(&Case { flow: &planned.flow, ask: &planned.ask, address: Some(address), evidence })
}

fn wanted(planned: &PlannedProbe, address: SocketAddr, evidence: &Evidence) -> Vec<Look> {
    let case = Case { flow: &planned.flow, ask: &planned.ask, address: Some(address), evidence };
    looks::wanted(&case, &judge::judge(&case))
}

/// How long a conversation may take before further looks are taken beside it.
fn patience(limit: Instant) -> Duration {
    (limit.saturating_duration_since(Instant::now()) * 2 / 5).min(MOST_PATIENCE)
}

/// Runs `work` and meanwhile notes now and then what moves on its connections.
async fn noticing<T>(trace: &Trace, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(NOTICE) => trace.notice(),
        }
    }
}

/// Waits for `work`, but no longer than `limit` and the run last. The error says how it ended.
async fn within<T>(limit: Instant, cut: &Cut, work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut cut = cut.clone();
    tokio::select! {
        // The work first: cut before its first step, it would leave nothing to tell how far it came.
        biased;
        done = work => Ok(done),
        () = tokio::time::sleep_until(limit) => Err(Failure::TimedOut),
        // The sender lives as long as the run: an error can't come, and would end nothing.
        Ok(_) = cut.wait_for(Option::is_some) => Err(Failure::Interrupted),
    }
}
