//! Which answer for a name counts, how long each way is waited for, and what the other way adds to it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{Either, join_all, select};
use tokio::time::timeout;

use super::answer::{Answer, NoAddress};
use super::{Asked, Server, Way, system};
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::net::Stopped;
use crate::net::trace::{OpenStep, Trace};

/// The most addresses of one name that are used.
const MOST_ADDRESSES: usize = 8;
/// How long the way that does not decide is waited for when the other has answered, or all hope is lost.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long the system is waited for where the name servers have answered: it may ask them in turn, a silent one first,
/// and take longer than the check has.
const SYSTEM_PATIENCE: Duration = Duration::from_millis(1500);
/// By when the system must have answered where the name servers have failed, some of them late: before a check's usual time is up.
const LATEST: Duration = Duration::from_millis(4500);
/// How long the system may take without a remark: by then its first question is lost or its name server overloaded.
const SLOW: Duration = Duration::from_millis(2500);
/// How often name servers that give other addresses than the system has are asked again: they may hand out one at a time.
const ASKED_AGAIN: usize = 4;
/// How long name servers are waited for that may say otherwise than the answer that came.
const SECOND_OPINION: Duration = Duration::from_millis(300);

/// One way of asking, with its open step.
pub(super) struct Side {
    pub step: OpenStep,
    pub asked: Asked,
    pub way: Way,
}

/// The name servers, each by itself.
#[derive(Clone, Copy)]
pub(super) struct Servers<'a> {
    pub asked: &'a [Server],
    /// Asks all of them anew.
    pub ask_again: &'a (dyn Fn() -> Vec<Server> + Send + Sync),
}

/// Awaits the deciding way, and the other as long as it is useful; ends both steps.
pub(super) async fn decide(
    deciding: Side,
    other: Side,
    servers: Servers<'_>,
    trace: &Trace,
) -> Result<Vec<IpAddr>, Stopped> {
    let (way, begun) = (deciding.way, Instant::now());
    match select(deciding.asked, other.asked).await {
        Either::Left((answer, other_asked)) => {
            // Where the system does not say why, the name servers do, in a time that is bounded.
            let untold = matches!(&answer.addresses, Err(missing) if missing.failure.is_none());
            let second = if untold { Some(other_asked.await) } else { timeout(PATIENCE, other_asked).await.ok() };
            close(other.step, second.as_ref());
            settle(Said { step: deciding.step, way, answer, second }, servers, trace).await
        }
        Either::Right((second, asked)) => {
            close(other.step, Some(&second));
            let wait = match (way, second.failure()) {
                // Name servers that are all silent leave the system with nothing but its own, longer, patience.
                (Way::System, Some(Failure::NameServerSilent)) => Some(PATIENCE),
                (Way::System, None | Some(Failure::NameNotFound | Failure::NameNoAddress)) => Some(SYSTEM_PATIENCE),
                (Way::System, Some(Failure::NameServerFailed)) => Some(LATEST.saturating_sub(begun.elapsed())),
                _ => None,
            };
            let answer = match wait {
                None => asked.await,
                Some(wait) => match timeout(wait, asked).await {
                    Ok(answer) => answer,
                    Err(_) => return late(deciding.step, &second, servers.asked, trace),
                },
            };
            settle(Said { step: deciding.step, way, answer, second: Some(second) }, servers, trace).await
        }
    }
}

/// What both ways gave, with the deciding one's open step.
struct Said {
    step: OpenStep,
    way: Way,
    answer: Answer,
    second: Option<Answer>,
}

async fn settle(said: Said, servers: Servers<'_>, trace: &Trace) -> Result<Vec<IpAddr>, Stopped> {
    let Said { step, way, answer, second } = said;
    match &answer.addresses {
        Ok(addresses) => {
            step.pass_with(answer.line());
            if way == Way::System {
                wait_for(servers.asked).await;
                if answer.took > SLOW {
                    trace.fact(Fact::SystemTook, format!("{:.1}", answer.took.as_secs_f64()));
                }
            }
            if let (Way::System, Some(turns)) = (way, in_turn(addresses, &servers).await) {
                return Ok(used(&turns));
            }
            if way == Way::NameServers || !compare_each(addresses, servers.asked, trace) {
                compare(way, addresses, second.as_ref(), trace);
            }
            let by_servers = if way == Way::NameServers { Some(&answer) } else { second.as_ref() };
            completed(by_servers, addresses, trace);
            Ok(used(addresses))
        }
        Err(missing) => {
            // What it failed with stands, whatever the others say of it.
            step.if_cut(missing.failure.unwrap_or(Failure::NameNotFound));
            wait_for(servers.asked).await;
            list(servers.asked, trace);
            Err(fail(step, way, &answer, missing, second.as_ref(), trace))
        }
    }
}

/// The system has no answer in time: where the name servers know the name, it would have found it as well, only later.
fn late(step: OpenStep, second: &Answer, servers: &[Server], trace: &Trace) -> Result<Vec<IpAddr>, Stopped> {
    list(servers, trace);
    if let Ok(addresses) = &second.addresses {
        trace.fact(Fact::SystemFailure, "no answer in time");
        step.pass_with(format!("{}: no answer in time: not waited for", system::NAME));
        completed(Some(second), addresses, trace);
        return Ok(used(addresses));
    }
    let missing = NoAddress::new(Some(Failure::NameServerSilent), "no answer in time");
    let silent =
        Answer { who: system::NAME.to_owned(), addresses: Err(missing.clone()), completed: None, took: Duration::ZERO };
    Err(fail(step, Way::System, &silent, &missing, Some(second), trace))
}

/// Publishes which of a name's addresses the name servers also give to a name that nobody has.
pub(super) async fn given_to_any_name(addresses: &[IpAddr], nobody: Asked, trace: &Trace) {
    let Ok(Ok(given)) = timeout(SECOND_OPINION, nobody).await.map(|answer| answer.addresses) else { return };
    let common: Vec<IpAddr> = given.into_iter().filter(|address| addresses.contains(address)).collect();
    if !common.is_empty() {
        trace.fact(Fact::GivenToAnyName, shown(&common));
    }
}

async fn wait_for(servers: &[Server]) {
    let _ = timeout(SECOND_OPINION, join_all(servers.iter().map(|server| server.asked.clone()))).await;
}

/// What each name server has said by now.
fn said(servers: &[Server]) -> Vec<Option<Answer>> {
    servers.iter().map(|server| server.asked.clone().now_or_never()).collect()
}

/// What each name server has given by now.
fn given(servers: &[Server]) -> Vec<Vec<IpAddr>> {
    said(servers)
        .into_iter()
        .map(|answer| answer.and_then(|answer| answer.addresses.ok()).unwrap_or_default())
        .collect()
}

/// All addresses of a name of which name servers hand out some in turn: where all that gave others than the system has give
/// its own as well when they are asked again.
async fn in_turn(addresses: &[IpAddr], servers: &Servers<'_>) -> Option<Vec<IpAddr>> {
    let is_strange = |given: &Vec<IpAddr>| !given.is_empty() && given.iter().all(|one| !addresses.contains(one));
    let first = given(servers.asked);
    let strange: Vec<usize> = (0..first.len()).filter(|at| is_strange(&first[*at])).collect();
    let (mut turns, mut same) = (addresses.to_vec(), Vec::new());
    turns.extend(first.into_iter().flatten());
    for _ in 0..ASKED_AGAIN {
        if strange.is_empty() || same.len() == strange.len() {
            break;
        }
        let again = (servers.ask_again)();
        wait_for(&again).await;
        let again = given(&again);
        let settled = |at: &usize| again.get(*at).is_some_and(|given| given.iter().any(|one| addresses.contains(one)));
        same.extend(strange.iter().filter(|at| settled(at)).copied());
        same.sort_unstable();
        same.dedup();
        turns.extend(again.into_iter().flatten());
    }
    let mut seen = HashSet::new();
    turns.retain(|address| seen.insert(*address));
    (!strange.is_empty() && same.len() == strange.len()).then_some(turns)
}

/// Publishes what each name server has said by now, and the addresses among it.
fn list(servers: &[Server], trace: &Trace) {
    let said = said(servers);
    let line = |(server, answer): (&Server, &Option<Answer>)| {
        answer.as_ref().map_or_else(|| format!("{}: no answer yet", server.name), Answer::line)
    };
    let lines: Vec<String> = servers.iter().zip(&said).map(line).collect();
    if !lines.is_empty() {
        trace.fact(Fact::NameServers, lines);
    }
    let found: Vec<IpAddr> =
        said.iter().flatten().filter_map(|answer| answer.addresses.clone().ok()).flatten().collect();
    if !found.is_empty() {
        trace.fact(Fact::DnsAddresses, shown(&found));
    }
    let missing = said.iter().filter(|answer| answer.is_none()).count();
    if missing > 0 {
        trace.fact(Fact::NameServersSilent, missing);
    }
}

/// Ends the step of the way that does not decide: never as failed, whatever it gave.
fn close(step: OpenStep, answer: Option<&Answer>) {
    step.pass_with(
        answer.map_or_else(|| "no answer yet when the other way had one: not waited for".to_owned(), Answer::line),
    );
}

/// Ends the deciding step as failed, for the best reason that is known.
fn fail(
    step: OpenStep,
    way: Way,
    answer: &Answer,
    missing: &NoAddress,
    second: Option<&Answer>,
    trace: &Trace,
) -> Stopped {
    let from_other = match second.map(|second| &second.addresses) {
        Some(Ok(addresses)) => {
            trace.fact(other_fact(way), shown(addresses));
            None
        }
        Some(Err(missing)) => {
            if let (Way::System, Some(second)) = (way, second) {
                trace.fact(Fact::DnsFailure, second.line());
            }
            missing.failure
        }
        None => None,
    };
    if !missing.nobody.is_empty() {
        trace.fact(own_fact(way), shown(&missing.nobody));
    }
    trace.fact(Fact::Detail, missing.text.as_str());
    let failure = match way {
        // Where the name servers know the name, the system was asked well and does not know it.
        Way::System => from_other.or(missing.failure),
        Way::NameServers => missing.failure,
    };
    step.fail_with(failure.unwrap_or(Failure::NameNotFound), answer.line())
}

/// Publishes a disagreement: no address in common, or the name servers know none.
fn compare(way: Way, addresses: &[IpAddr], second: Option<&Answer>, trace: &Trace) {
    match second.map(|second| (second, &second.addresses)) {
        Some((_, Ok(others))) if others.iter().any(|other| addresses.contains(other)) => (),
        Some((_, Ok(others))) => {
            trace.fact(own_fact(way), shown(addresses));
            trace.fact(other_fact(way), shown(others));
        }
        Some((second, Err(_))) if way == Way::System => trace.fact(Fact::DnsFailure, second.line()),
        None if way == Way::System => trace.fact(Fact::DnsFailure, "no answer in time"),
        _ => (),
    }
}

/// Publishes that single name servers, of several, give other addresses than the system, and no one else's. Whether they do.
fn compare_each(addresses: &[IpAddr], servers: &[Server], trace: &Trace) -> bool {
    let answers: Vec<Answer> = said(servers).into_iter().flatten().collect();
    let given = answers.iter().filter_map(|answer| answer.addresses.as_ref().ok());
    let strange = given.filter(|given| given.iter().all(|one| !addresses.contains(one)));
    let strange: Vec<IpAddr> = strange.flatten().copied().collect();
    if answers.len() < 2 || strange.is_empty() {
        return false;
    }
    trace.fact(Fact::NameServers, answers.iter().map(Answer::line).collect::<Vec<_>>());
    trace.fact(Fact::SystemAddresses, shown(addresses));
    trace.fact(Fact::DnsAddresses, shown(&strange));
    true
}

/// Publishes that the name is one that a search suffix made, where that is what gave the addresses.
fn completed(by_servers: Option<&Answer>, addresses: &[IpAddr], trace: &Trace) {
    let Some((Ok(theirs), Some(name))) = by_servers.map(|answer| (&answer.addresses, &answer.completed)) else {
        return;
    };
    if theirs.iter().any(|address| addresses.contains(address)) {
        trace.fact(Fact::CompletedName, name.as_str());
    }
}

fn own_fact(way: Way) -> Fact {
    match way {
        Way::System => Fact::SystemAddresses,
        Way::NameServers => Fact::DnsAddresses,
    }
}

fn other_fact(way: Way) -> Fact {
    match way {
        Way::System => Fact::DnsAddresses,
        Way::NameServers => Fact::SystemAddresses,
    }
}

pub(super) fn shown(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().take(MOST_ADDRESSES).map(IpAddr::to_string).collect()
}

fn used(addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().copied().take(MOST_ADDRESSES).collect()
}
