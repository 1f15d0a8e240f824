//! One side that joined a listener: its flows are run, its probes are told apart from others', and it is told what was seen.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::super::bind::{self, OtherSide};
use super::super::{crowd, join, output, session};
use super::host::Listening;
use crate::model::ask::Route;
use crate::model::flow::Role;
use crate::model::knock::{Knock, Knocked};
use crate::model::run::{Outcome, Peer};
use crate::model::sighting::Sightings;
use crate::model::span::Span;
use crate::net::introduce::{self, Place};
use crate::peer::listener::{self, Joined, Ports, Wanted};
use crate::peer::message::{VERSION, Welcome};
use crate::plan::{self, Plan};
use crate::profile::Profile;
use crate::responder::{Admission, Met};

/// How long conversations may take to end before what was seen is told: their receipts are kept at their end.
const ENDING: Duration = Duration::from_millis(300);

/// A joined side, as long as it is there.
pub(super) struct Guest {
    listening: Arc<Listening>,
    joined: Joined,
    /// Receipts that had found no room when it joined.
    missed_before: u64,
    shown: Mutex<Shown>,
    admissions: Vec<Admission>,
}

/// What came to be known of it.
#[derive(Default)]
struct Shown {
    /// The word at the door, while that is open, and since when.
    word: Option<(String, Instant)>,
    /// Addresses that it showed besides those that it named.
    met: Vec<Met>,
    /// Addresses from which it knocked, which are not let in.
    knocked_from: Vec<IpAddr>,
    /// Where this side's flows went on the joined machine.
    places: Vec<Place>,
    /// What it was told last.
    sightings: Option<Sightings>,
}

impl Guest {
    pub(super) fn new(listening: Arc<Listening>, joined: Joined, admissions: Vec<Admission>) -> Self {
        let missed_before = listening.shared.receipts.missed();
        Self { listening, joined, missed_before, shown: Mutex::default(), admissions }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every address that its probes come from, as far as is known.
    fn addresses(&self) -> Vec<IpAddr> {
        let met: Vec<IpAddr> = self.shown().met.iter().map(|met| met.address).collect();
        self.joined.addresses().into_iter().chain(met).collect()
    }

    /// This side's own flows, with the joined side bound to where it is.
    async fn flows(&self, wanted: &Wanted) -> Vec<Outcome> {
        let (profile, bound) = self.profile(wanted);
        let Some(plan) = self.plan(&profile, &wanted.checks) else { return Vec::new() };
        match session::outcomes(&profile, &plan).await {
            Ok(mut outcomes) => {
                let machine = self.joined.addresses();
                bind::tell_family(&mut outcomes, &bound, &machine);
                let places = outcomes.iter().filter_map(|outcome| join::place(outcome, &plan));
                self.shown().places.extend(places.filter(|place| is_at(place, &machine)));
                outcomes
            }
            Err(error) => {
                output::say(&format!("This side's own flows were not tested: {error}"));
                Vec::new()
            }
        }
    }

    fn profile(&self, wanted: &Wanted) -> (Profile, Vec<String>) {
        let mut profile = self.listening.profile.clone();
        let (roles, hello) = (&self.joined.hello.sides, &self.joined.hello);
        let addresses = self.joined.addresses();
        bind::keep_only(&mut profile, roles, &addresses);
        let other = OtherSide {
            roles,
            // A proxy's address is not the joined side's, and what that says of itself is not dialed.
            host: (!hello.through_proxy).then(|| self.joined.address.to_string()),
            hosts: &[],
            addresses: &addresses,
            answers: &wanted.answers,
            certificate: &wanted.certificate,
        };
        let bound = bind::bind(&mut profile, &other);
        let shorter = |own: Span, theirs: Option<u64>| theirs.map_or(own, |theirs| own.min(Span::millis(theirs)));
        profile.settings.timeout = shorter(profile.settings.timeout, hello.timeout_ms);
        profile.settings.deadline = shorter(profile.settings.deadline, hello.deadline_ms);
        if self.listening.crowd() > crowd::FEW && hello.timeout_ms.is_none() {
            crowd::be_patient(&mut profile);
        }
        (profile, bound)
    }

    /// The checks that both sides know and the joined side wants.
    fn plan(&self, profile: &Profile, checks: &[String]) -> Option<Plan> {
        let hello = &self.joined.hello;
        let wanted = |id: &String| [&hello.checks[..], checks].iter().all(|list| list.is_empty() || list.contains(id));
        let only: Vec<String> = profile.checks.iter().map(|check| check.id.clone()).filter(|id| wanted(id)).collect();
        if only.is_empty() {
            return None;
        }
        session::with_surroundings(|around| plan::make(profile, &self.listening.sides, &only, around)).ok()
    }

    /// Waits for a moment until its conversations have ended, or only those of others at its address are left.
    async fn settle(&self) {
        let (addresses, give_up) = (self.addresses(), Instant::now() + ENDING);
        // Each joined side has its control channel open.
        while self.listening.shared.connections_of(&addresses) > 1 && Instant::now() < give_up {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn look(&self) -> Sightings {
        self.settle().await;
        let receipts = self.listening.shared.receipts.of(&self.addresses(), self.joined.since);
        let mut addresses = self.addresses();
        addresses.extend(&self.shown().knocked_from);
        let mut sightings = self.listening.look(self.joined.since, addresses).await;
        sightings.receipts = receipts;
        sightings.missed = self.listening.shared.receipts.missed() - self.missed_before;
        self.shown().sightings = Some(sightings.clone());
        sightings
    }
}

/// Whether a flow went straight to the joined machine itself.
fn is_at(place: &Place, machine: &[IpAddr]) -> bool {
    place.ask.route == Route::Direct && machine.contains(&place.address.ip().to_canonical())
}

impl listener::Guest for Guest {
    fn welcome(&self) -> Welcome {
        Welcome {
            version: VERSION,
            sides: self.listening.sides.clone(),
            crowd: self.listening.crowd(),
            your_address: self.joined.address,
            answers: self.listening.answers.clone(),
            certificate: self.listening.shared.certificate.fingerprint.clone(),
        }
    }

    fn test(&self, wanted: Wanted) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move { self.flows(&wanted).await })
    }

    fn open_door(&self) -> String {
        let shared = &self.listening.shared;
        let word = shared.door.open(&shared.limits);
        if let Some((earlier, _)) = self.shown().word.replace((word.clone(), Instant::now())) {
            shared.door.close(&earlier);
        }
        word
    }

    fn close_door(&self, knocks: Vec<Knock>) -> BoxFuture<'_, (Vec<IpAddr>, Vec<Knocked>)> {
        let Some((word, opened)) = self.shown().word.take() else { return Box::pin(async { Default::default() }) };
        let met = self.listening.shared.door.close(&word);
        let addresses = met.iter().map(|met| met.address).collect();
        self.shown().met.extend(met);
        Box::pin(async move {
            let knocked = self.listening.recognise(knocks, opened).await;
            self.shown().knocked_from.extend(knocked.iter().filter_map(|knocked| knocked.from));
            (addresses, knocked)
        })
    }

    fn introduce(&self, word: String, ports: Ports, knock: Ports) -> BoxFuture<'_, Vec<Knock>> {
        let is_of = |ports: &Ports, place: &Place| ports.contains(&(place.transport(), place.address.port()));
        let places = std::mem::take(&mut self.shown().places);
        let (said, others): (Vec<Place>, Vec<Place>) = places.into_iter().partition(|place| is_of(&ports, place));
        let knock_at: Vec<Place> = others.into_iter().filter(|place| is_of(&knock, place)).collect();
        Box::pin(async move {
            let net = session::net_with(&self.listening.profile, HashMap::new());
            introduce::say(&word, &said, &knock_at, &net).await
        })
    }

    fn seen(&self) -> BoxFuture<'_, Sightings> {
        Box::pin(self.look())
    }

    fn left(&self, outcomes: Vec<Outcome>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let hello = &self.joined.hello;
            let peer = Peer { side: hello.sides.clone(), address: self.joined.address.to_string() };
            if self.listening.collect.is_some() {
                let told = self.shown().sightings.take();
                let sightings = match told {
                    Some(told) => told,
                    None => self.look().await,
                };
                self.listening.keep(outcomes, peer, sightings);
            }
            let roles = hello.sides.iter().map(Role::as_str).collect::<Vec<_>>().join(", ");
            output::say(&format!("{} ({roles}) has left.", self.joined.address));
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let addresses = self.addresses();
        if let Some((word, _)) = self.shown().word.take() {
            self.listening.shared.door.close(&word);
        }
        self.shown().met.clear();
        self.admissions.clear();
        for address in addresses.into_iter().filter(|address| !self.listening.shared.peers.include(*address)) {
            self.listening.shared.receipts.forget(address);
        }
        self.listening.left();
    }
}
