//! The outcomes of two sides as one list.

use crate::model::finding::Status;
use crate::model::run::Outcome;

/// One outcome for each check and endpoint: what was tested goes before what was left to the other side. Where both sides
/// tested, both are kept. The order is that of `own`; what only the other side knows comes last.
///
/// An endpoint that a control channel bound to a host may have another name on the other side; where its name is unknown
/// here, the check and the role decide.
#[must_use]
pub fn union(own: Vec<Outcome>, theirs: Vec<Outcome>) -> Vec<Outcome> {
    let their_names: Vec<(String, String)> = theirs.iter().map(name).collect();
    let own_names: Vec<(String, String)> = own.iter().map(name).collect();
    let mut places: Vec<Vec<Outcome>> = own.into_iter().map(|outcome| vec![outcome]).collect();
    let mut bound = vec![false; places.len()];
    for other in theirs {
        let same = own_names.iter().position(|name| *name == self::name(&other));
        let place = same.or_else(|| {
            let unnamed = |index: &usize| {
                let (check, endpoint) = &own_names[*index];
                *check == other.check
                    && places[*index].first().is_some_and(|outcome| outcome.to == other.to)
                    && !bound[*index]
                    && !their_names.iter().any(|(c, e)| (c, e) == (check, endpoint))
            };
            let place = (0..own_names.len()).find(unnamed)?;
            bound[place] = true;
            Some(place)
        });
        match place {
            Some(place) => settle(&mut places[place], other),
            None => places.push(vec![other]),
        }
    }
    places.into_iter().flatten().collect()
}

fn name(outcome: &Outcome) -> (String, String) {
    (outcome.check.clone(), outcome.endpoint.clone())
}

/// Puts an outcome beside those of the same flow, or in their place, or leaves it out.
fn settle(here: &mut Vec<Outcome>, other: Outcome) {
    let known = here.iter().map(told).max().unwrap_or_default();
    match told(&other) {
        TESTED if known == TESTED && !here.contains(&other) => here.push(other),
        more if more > known => {
            // The name under which this side's record knows the endpoint.
            let endpoint = here.first().map(|first| first.endpoint.clone());
            let endpoint = endpoint.unwrap_or_else(|| other.endpoint.clone());
            *here = vec![Outcome { endpoint, ..other }];
        }
        _ => {}
    }
}

const TESTED: u8 = 2;

/// How much an outcome says: tested, tried, or left to another side.
fn told(outcome: &Outcome) -> u8 {
    match (outcome.status, &outcome.tested_from) {
        (Status::Skip, None) => 0,
        (Status::Skip, Some(_)) => 1,
        _ => TESTED,
    }
}
