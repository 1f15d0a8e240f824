//! Runs that several sides saved without a control channel between them, judged together as if they had been joined.
//!
//! Their clocks may differ: no time of one is ever compared with one of another. That two runs are of one occasion is shown
//! by their run word, or by a token of one in a receipt of the other; without either, what one side did not see proves
//! nothing of the other's probes, and their outcomes are only listed together.

use std::net::IpAddr;

use super::ties::address;
use super::{Observed, union, with_far_side};
use crate::model::fact::Fact;
use crate::model::run::{Outcome, Peer, Receipt, Run, RunInfo};
use crate::model::sighting::{Sighting, SightingKind, Sightings};

/// What joins the ids of runs that were merged.
const JOINT: char = '+';

/// Runs of several sides, joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    pub info: RunInfo,
    pub outcomes: Vec<Outcome>,
    /// What the user should know of the runs' fitting together.
    pub doubts: Vec<Doubt>,
}

/// Why runs can't be joined. The numbers are places in the list of runs, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    Alone,
    /// A run that was merged already.
    Merged(usize),
    /// The same run twice.
    Twice(usize, usize),
    /// The same sides of the same machine, twice.
    SameSide(usize, usize),
    OtherWord(usize, usize),
    /// No check in common.
    OtherFlows(usize, usize),
}

/// What makes a joined record less certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing shows that both runs are of one occasion: neither is judged by what the other saw.
    Unlinked(usize, usize),
    /// The profiles have different names.
    OtherProfile(usize, usize),
    /// No side kept what it saw of the others.
    NothingSeen,
}

/// Joins runs of different sides, the first one's first.
///
/// # Errors
/// [`Unfit`] where they can't belong together.
pub fn join(runs: &[Run]) -> Result<Joined, Unfit> {
    let pairs = || (0..runs.len()).flat_map(|one| (one + 1..runs.len()).map(move |other| (one, other)));
    let Some(first) = runs.first().filter(|_| runs.len() > 1) else { return Err(Unfit::Alone) };
    if let Some(place) = runs.iter().position(|run| run.run.id.contains(JOINT)) {
        return Err(Unfit::Merged(place));
    }
    if let Some(unfit) = pairs().find_map(|(one, other)| unfit(runs, one, other)) {
        return Err(unfit);
    }
    if let Some(unfit) = foreign(runs) {
        return Err(unfit);
    }
    let mut doubts: Vec<Doubt> = pairs().filter_map(|(one, other)| doubt(runs, one, other)).collect();
    if runs.iter().all(|run| run.sightings.is_none()) {
        doubts = vec![Doubt::NothingSeen];
    }
    let mut sides: Vec<Vec<Outcome>> = (0..runs.len()).map(|own| judged(runs, own)).collect();
    let own = sides.remove(0);
    let outcomes = sides.into_iter().fold(own, union);
    Ok(Joined { info: info(first, runs), outcomes, doubts })
}

fn unfit(runs: &[Run], one: usize, other: usize) -> Option<Unfit> {
    let (a, b) = (&runs[one], &runs[other]);
    if a.run.id == b.run.id {
        return Some(Unfit::Twice(one, other));
    }
    if a.run.host == b.run.host && a.run.side == b.run.side && twice(a, b) {
        return Some(Unfit::SameSide(one, other));
    }
    if let (Some(word), Some(another)) = (&a.run.word, &b.run.word)
        && word != another
    {
        return Some(Unfit::OtherWord(one, other));
    }
    None
}

/// A run that has no check in common with any other. Two that only listened on different machines need none with each other.
fn foreign(runs: &[Run]) -> Option<Unfit> {
    let shared = |a: &Run, b: &Run| {
        let (checks, its, only_listened) = (checks(a), checks(b), a.outcomes.is_empty() && b.outcomes.is_empty());
        only_listened || checks.is_empty() || its.is_empty() || checks.iter().any(|check| its.contains(check))
    };
    let others = |own: usize| (0..runs.len()).filter(move |place| *place != own);
    let alone = (0..runs.len()).find(|own| !others(*own).any(|other| shared(&runs[*own], &runs[other])))?;
    let other = others(alone).next()?;
    Some(Unfit::OtherFlows(alone.min(other), alone.max(other)))
}

/// Whether both runs of one side did the same work: one may have tested while the other only listened.
fn twice(a: &Run, b: &Run) -> bool {
    let tested = |run: &Run| -> Vec<(String, String)> {
        let outcomes = run.outcomes.iter().filter(|outcome| outcome.tested_from.is_some());
        outcomes.map(|outcome| (outcome.check.clone(), outcome.endpoint.clone())).collect()
    };
    let (own, its) = (tested(a), tested(b));
    (a.sightings.is_some() && b.sightings.is_some()) || own.iter().any(|flow| its.contains(flow))
}

fn checks(run: &Run) -> Vec<&str> {
    let answered = run.sightings.iter().flat_map(|seen| &seen.answers).flat_map(|answer| &answer.checks);
    run.outcomes.iter().map(|outcome| &outcome.check).chain(answered).map(String::as_str).collect()
}

fn doubt(runs: &[Run], one: usize, other: usize) -> Option<Doubt> {
    let (a, b) = (&runs[one], &runs[other]);
    let watched = a.sightings.is_some() || b.sightings.is_some();
    if watched && !linked(a, b) {
        return Some(Doubt::Unlinked(one, other));
    }
    (a.run.profile != b.run.profile).then_some(Doubt::OtherProfile(one, other))
}

/// Whether two runs are of one occasion.
fn linked(a: &Run, b: &Run) -> bool {
    let same_word = a.run.word.is_some() && a.run.word == b.run.word;
    let has_met =
        |prober: &Run, far: &Run| far.sightings.as_ref().is_some_and(|seen| met(prober, seen).next().is_some());
    same_word || has_met(a, b) || has_met(b, a)
}

/// The receipts that show a machine's tokens.
fn met<'a>(run: &'a Run, seen: &'a Sightings) -> impl Iterator<Item = &'a Receipt> {
    let tokens: Vec<&str> = run.outcomes.iter().filter(|outcome| direct(outcome)).filter_map(token).collect();
    seen.receipts.iter().filter(move |receipt| receipt.token.as_deref().is_some_and(|token| tokens.contains(&token)))
}

fn token(outcome: &Outcome) -> Option<&str> {
    outcome.text(Fact::Token)
}

/// Whether the far side sees the prober's own address, translated or not.
fn direct(outcome: &Outcome) -> bool {
    !outcome.facts.contains_key(Fact::Proxy.word())
}

/// One side's outcomes, judged by what the others saw.
fn judged(runs: &[Run], own: usize) -> Vec<Outcome> {
    let mut outcomes = runs[own].outcomes.clone();
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.tested_from.is_some()) {
        let Some(far) = far_side(runs, own, outcome) else { continue };
        let Some(sightings) = seen_of(runs, own, far, outcome) else { continue };
        let Some(prober) = prober(&runs[own], &sightings, outcome) else { continue };
        let certificate = sightings.receipts.iter().find_map(|receipt| receipt.presented.clone());
        with_far_side(
            outcome,
            &sightings,
            &Observed { prober, alone: false, certificate, governs: false, near: runs[own].sightings.as_ref() },
        );
    }
    outcomes
}

/// What the far side saw, without the receipts of other machines that carry the same tokens, as those of one side and one
/// word do: their addresses tell them apart. Nothing where address translation leaves open whose a receipt is.
fn seen_of(runs: &[Run], own: usize, far: usize, outcome: &Outcome) -> Option<Sightings> {
    let mut seen = runs[far].sightings.clone()?;
    let rivals: Vec<&Run> =
        runs.iter().enumerate().filter(|(place, _)| *place != own && *place != far).map(|(_, run)| run).collect();
    seen.receipts.retain(|receipt| !rivals.iter().any(|rival| spoke(rival, receipt)) || spoke(&runs[own], receipt));
    let shared = token(outcome).filter(|token| rivals.iter().any(|rival| carried(rival, token)));
    let open = |receipt: &Receipt| receipt.token.as_deref() == shared && !spoke(&runs[own], receipt);
    (shared.is_none() || !seen.receipts.iter().any(open)).then_some(seen)
}

fn carried(run: &Run, wanted: &str) -> bool {
    run.outcomes.iter().any(|outcome| token(outcome) == Some(wanted))
}

/// Whether a machine carried the token of a receipt and has the address that it came from.
fn spoke(run: &Run, receipt: &Receipt) -> bool {
    let source = address(&receipt.source).map(|source| source.ip());
    let of_token =
        run.outcomes.iter().filter(|outcome| receipt.token.is_some() && token(outcome) == receipt.token.as_deref());
    source.is_some() && of_token.into_iter().any(|outcome| local(outcome) == source)
}

/// The address that an outcome's probe spoke from, where it is known.
fn local(outcome: &Outcome) -> Option<IpAddr> {
    outcome.ip(Fact::LocalAddress).filter(|ip| !ip.is_unspecified())
}

/// The run of the machine that a flow goes to, where that is certain.
fn far_side(runs: &[Run], own: usize, outcome: &Outcome) -> Option<usize> {
    let plays = |place: &usize| {
        let far = &runs[*place];
        *place != own && far.sightings.is_some() && far.run.side.contains(&outcome.to) && linked(&runs[own], far)
    };
    let candidates: Vec<usize> = (0..runs.len()).filter(plays).collect();
    let same_check = |other: &&Outcome| other.check == outcome.check && other.tested_from.is_some();
    let targets = runs[own].outcomes.iter().filter(same_check).count();
    match candidates.as_slice() {
        [only] if targets == 1 => Some(*only),
        several => several.iter().copied().find(|place| is_target(&runs[*place], outcome)),
    }
}

/// Whether a machine is the one that an outcome's probe went to, by its name, its addresses or the token.
fn is_target(far: &Run, outcome: &Outcome) -> bool {
    let host = outcome.host();
    let named =
        host.is_some_and(|host| host.split('.').next().is_some_and(|name| name.eq_ignore_ascii_case(&far.run.host)));
    let Some(seen) = &far.sightings else { return named };
    let asked: Vec<IpAddr> =
        outcome.steps.iter().filter_map(|step| address(step.address.as_deref()?)).map(|address| address.ip()).collect();
    let own = seen.sighted.iter().map(|sighting| sighting.local.ip().to_canonical());
    let arrived = seen.receipts.iter().filter_map(|receipt| address(&receipt.arrived_at)).map(|address| address.ip());
    let has_token =
        seen.receipts.iter().any(|receipt| receipt.token.is_some() && receipt.token.as_deref() == token(outcome));
    named || has_token || own.chain(arrived).any(|ip| asked.contains(&ip))
}

/// The prober's address as the far side saw it: that of the request from the probe's very port, of receipts with its tokens,
/// else its own.
fn prober(run: &Run, seen: &Sightings, outcome: &Outcome) -> Option<IpAddr> {
    let own_address = local(outcome).filter(|_| direct(outcome));
    let met: Vec<IpAddr> =
        met(run, seen).filter_map(|receipt| address(&receipt.source)).map(|source| source.ip()).collect();
    let exactly = seen.sighted.iter().find(|one| is_request_of(one, outcome)).map(|one| one.remote.ip().to_canonical());
    let confirmed = exactly.or_else(|| own_address.filter(|ip| met.contains(ip)));
    let others = run.outcomes.iter().filter(|other| direct(other) && other.to == outcome.to).find_map(local);
    confirmed.or_else(|| met.first().copied()).or(own_address).or(others)
}

/// Whether a request went to an outcome's port from the very port that its probe spoke from.
fn is_request_of(seen: &Sighting, outcome: &Outcome) -> bool {
    let source = outcome.socket(Fact::LocalAddress).filter(|_| direct(outcome));
    matches!(seen.kind, SightingKind::RequestIn | SightingKind::HalfOpen)
        && seen.transport == outcome.transport
        && Some(seen.local.port()) == outcome.port
        && source.is_some_and(|source| source.port() == seen.remote.port())
}

/// The first run's own words, with the others as its peer.
fn info(first: &Run, runs: &[Run]) -> RunInfo {
    let others = || runs.iter().skip(1);
    let join = |texts: Vec<&str>, between: &str| texts.join(between);
    let mut side = Vec::new();
    for role in others().flat_map(|run| &run.run.side) {
        if !side.contains(role) {
            side.push(role.clone());
        }
    }
    RunInfo {
        id: join(runs.iter().map(|run| run.run.id.as_str()).collect(), &JOINT.to_string()),
        elapsed_ms: runs.iter().map(|run| run.run.elapsed_ms).max().unwrap_or_default(),
        peer: Some(Peer { side, address: join(others().map(|run| run.run.host.as_str()).collect(), ", ") }),
        cut_short: runs.iter().find_map(|run| run.run.cut_short),
        word: runs.iter().find_map(|run| run.run.word.clone()),
        ..first.run.clone()
    }
}
