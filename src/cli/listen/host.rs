//! What a listener does for those who join: admits them, runs its own flows towards them, and tells what it saw of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};

use super::super::bind::{self, OtherSide};
use super::super::{colour, output, session};
use crate::model::flow::Role;
use crate::model::run::{Outcome, Peer, Receipt, Run};
use crate::model::sighting::{Answering, Sightings};
use crate::model::token::Word;
use crate::peer::listener::{Host, Joined, Place};
use crate::peer::message::{VERSION, Welcome};
use crate::peer::witness::{Tally, Witness};
use crate::plan;
use crate::profile::Profile;
use crate::responder::{Admission, Shared};
use crate::sys;

/// Runs for joined sides that go on at once; more wait for their turn.
const RUNS: usize = 32;

/// A listening side.
pub(super) struct Listening {
    pub profile: Profile,
    pub sides: Vec<Role>,
    pub answers: Vec<Answering>,
    pub shared: Arc<Shared>,
    pub witness: Witness,
    pub collect: Option<PathBuf>,
    joined: AtomicUsize,
    /// The most sides that were joined at once since the last time nobody was.
    crowd: AtomicUsize,
    /// What the counters said when the one that is joined alone joined.
    ended_before: Mutex<Tally>,
    runs: Arc<Semaphore>,
    pub gone: Notify,
    me: Weak<Listening>,
}

impl Listening {
    pub(super) fn new(
        profile: Profile,
        sides: Vec<Role>,
        answers: Vec<Answering>,
        shared: Arc<Shared>,
        collect: Option<PathBuf>,
    ) -> Arc<Self> {
        let ports: Vec<_> = answers.iter().map(|answer| (answer.transport, answer.port)).collect();
        Arc::new_cyclic(|me| Self {
            profile,
            sides,
            answers,
            shared,
            witness: Witness::start(ports),
            collect,
            joined: AtomicUsize::new(0),
            crowd: AtomicUsize::new(0),
            ended_before: Mutex::default(),
            runs: Arc::new(Semaphore::new(RUNS)),
            gone: Notify::new(),
            me: me.clone(),
        })
    }

    /// This side's own flows, with the joined side bound to where it is.
    async fn flows(&self, joined: &Joined, answers: &[Answering], certificate: &str) -> Vec<Outcome> {
        let mut profile = self.profile.clone();
        let roles = &joined.hello.sides;
        bind::keep_only(&mut profile, roles, joined.address);
        let host = (!joined.hello.through_proxy).then(|| joined.address.to_string());
        bind::bind(&mut profile, &OtherSide { roles, host, answers, certificate });
        if let Some(timeout) = joined.hello.timeout_ms {
            profile.settings.timeout = profile.settings.timeout.min(crate::model::span::Span::millis(timeout));
        }
        let only: Vec<String> = joined
            .hello
            .checks
            .iter()
            .filter(|id| profile.checks.iter().any(|check| check.id == **id))
            .cloned()
            .collect();
        if only.is_empty() && !joined.hello.checks.is_empty() {
            return Vec::new();
        }
        let Ok(plan) = session::with_surroundings(|around| plan::make(&profile, &self.sides, &only, around)) else {
            return Vec::new();
        };
        match session::outcomes(&profile, &plan).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                output::say(&format!("This side's own flows were not tested: {error}"));
                Vec::new()
            }
        }
    }

    /// Keeps what was seen of those that could not join, to be merged with their runs by the word that both know.
    pub(super) fn keep_by_hand(&self, word: &Word, peers: &[IpAddr]) {
        let sightings = Sightings {
            receipts: self.shared.receipts.all(),
            sighted: peers.iter().flat_map(|peer| self.witness.seen_of(*peer)).collect(),
            means: self.witness.means(),
            answers: self.answers.clone(),
            alone: peers.len() == 1,
            missed: self.shared.receipts.missed(),
            probed: Vec::new(),
        };
        let mut run = session::record(&self.profile, &self.sides, Vec::new(), None, Some(sightings));
        run.run.word = Some(word.fingerprint());
        self.keep(&run);
    }

    fn keep(&self, run: &Run) {
        let Some(folder) = &self.collect else { return };
        let side = self.sides.first().map_or("side", |side| side.as_str());
        let path = folder.join(format!("{side}-{}.json", run.run.id));
        let bytes = crate::report::render(crate::report::Format::Json, run, &colour::of_file(false));
        match std::fs::write(&path, bytes) {
            Ok(()) => output::say(&format!("Kept in {}", path.display())),
            Err(error) => output::say(&format!("{} can't be written: {error}", path.display())),
        }
    }

    /// Receipts of one peer since it joined, by its addresses: what was received before is of another run.
    fn receipts_of(&self, joined: &Joined) -> Vec<Receipt> {
        let known: Vec<IpAddr> = addresses(joined);
        let is_theirs = |receipt: &Receipt| {
            receipt.source.parse::<std::net::SocketAddr>().is_ok_and(|from| known.contains(&from.ip().to_canonical()))
        };
        self.shared.receipts.since(joined.since).into_iter().filter(is_theirs).collect()
    }
}

fn addresses(joined: &Joined) -> Vec<IpAddr> {
    let mut known = vec![joined.address];
    known.extend(joined.hello.addresses.iter().map(IpAddr::to_canonical));
    known
}

/// A joined side's place.
struct Seat {
    _admissions: Vec<Admission>,
    listening: Arc<Listening>,
}

impl Place for Seat {}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.listening.joined.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.listening.crowd.store(0, Ordering::SeqCst);
        }
    }
}

impl Host for Listening {
    fn welcome(&self, address: IpAddr) -> Welcome {
        Welcome {
            version: VERSION,
            sides: self.sides.clone(),
            your_address: address,
            answers: self.answers.clone(),
            certificate: self.shared.certificate.fingerprint.clone(),
        }
    }

    fn admit(&self, address: IpAddr, named: &[IpAddr]) -> Box<dyn Place> {
        let now = self.joined.fetch_add(1, Ordering::SeqCst) + 1;
        self.crowd.fetch_max(now, Ordering::SeqCst);
        if now == 1 {
            *self.ended_before.lock().unwrap_or_else(PoisonError::into_inner) = self.witness.ended();
        }
        self.witness.probe(address);
        let mut admissions = vec![self.shared.peers.admit(address)];
        for named in named {
            self.witness.probe(*named);
            admissions.push(self.shared.peers.admit_named(*named));
        }
        // This side's own flows may go to roles that it plays itself, and both sides may be on this machine.
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let own = loopback.into_iter().chain(sys::own_addresses());
        admissions.extend(own.map(|address| self.shared.peers.admit(address)));
        match self.me.upgrade() {
            Some(listening) => Box::new(Seat { _admissions: admissions, listening }),
            None => Box::new(Ended),
        }
    }

    fn test(&self, joined: &Joined, answers: Vec<Answering>, certificate: String) -> BoxFuture<'static, Vec<Outcome>> {
        let (me, joined) = (self.me.clone(), joined.clone());
        Box::pin(async move {
            let Some(listening) = me.upgrade() else { return Vec::new() };
            let runs = Arc::clone(&listening.runs);
            let Ok(_turn) = runs.acquire_owned().await else { return Vec::new() };
            listening.flows(&joined, &answers, &certificate).await
        })
    }

    fn seen_of(&self, joined: &Joined) -> Sightings {
        let addresses = addresses(joined);
        let ended = self.ended_before.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Sightings {
            receipts: self.receipts_of(joined),
            sighted: self.witness.seen_since(joined.since, &addresses, &ended),
            means: self.witness.means(),
            answers: self.answers.clone(),
            alone: self.crowd.load(Ordering::SeqCst) <= 1,
            missed: self.shared.receipts.missed(),
            probed: addresses,
        }
    }

    fn left(&self, joined: &Joined, outcomes: Vec<Outcome>, sightings: Option<Sightings>) {
        output::say(&format!("{} has left.", joined.address));
        let peer = Peer { side: joined.hello.sides.clone(), address: joined.address.to_string() };
        self.keep(&session::record(&self.profile, &self.sides, outcomes, Some(peer), sightings));
        self.gone.notify_one();
    }
}

/// The place of one who joined while the listener was ending.
struct Ended;

impl Place for Ended {}
