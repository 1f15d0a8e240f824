//! A listening side: who is joined, what was seen, and what is kept. What one joined side gets is in [`super::guest`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};

use super::super::{colour, output, session};
use super::guest::Guest;
use crate::model::flow::Role;
use crate::model::knock::{Knock, Knocked};
use crate::model::run::{Outcome, Peer, Run};
use crate::model::sighting::{Answering, Sightings};
use crate::model::token::Word;
use crate::peer::listener::{self, Host, Joined};
use crate::peer::witness::glance::{self, Glance};
use crate::peer::witness::{Tally, Witness};
use crate::profile::Profile;
use crate::responder::{Admission, Shared};
use crate::sys;

/// A listening side.
pub(super) struct Listening {
    pub profile: Profile,
    pub sides: Vec<Role>,
    pub answers: Vec<Answering>,
    pub shared: Arc<Shared>,
    pub collect: Option<PathBuf>,
    /// Somebody has left.
    pub gone: Notify,
    began: Instant,
    witness: Arc<Witness>,
    /// One looks at a time, as each look goes through all connections of the machine.
    looking: tokio::sync::Mutex<()>,
    joined: AtomicUsize,
    /// The most sides that were joined at once since the last time nobody was.
    crowd: AtomicUsize,
    /// What the counters said when the one that is joined alone joined.
    ended_before: Mutex<Tally>,
    ending: watch::Sender<bool>,
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
            collect,
            gone: Notify::new(),
            began: Instant::now(),
            witness: Arc::new(Witness::start(ports)),
            looking: tokio::sync::Mutex::default(),
            joined: AtomicUsize::new(0),
            crowd: AtomicUsize::new(0),
            ended_before: Mutex::default(),
            ending: watch::Sender::new(false),
            me: me.clone(),
        })
    }

    /// What was seen of a joined side besides receipts. It takes a look at the whole machine, which may block.
    pub(super) async fn look(&self, since: Instant, addresses: Vec<IpAddr>) -> Sightings {
        let alone = self.crowd.load(Ordering::SeqCst) <= 1;
        let ended = self.ended_before.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (probed, asked, peers) = (addresses.clone(), Instant::now(), self.shared.peers.clone());
        let _turn = self.looking.lock().await;
        let peer = glance::Peer { addresses, since, ended };
        let Glance { sighted, means, strangers } = self.witness.glance(asked, peer, move |ip| peers.include(ip)).await;
        let (receipts, answers) = (Vec::new(), self.answers.clone());
        Sightings { receipts, sighted, means, answers, alone, missed: 0, probed, strangers }
    }

    /// Whose the knocks since then are.
    pub(super) async fn recognise(&self, knocks: Vec<Knock>, since: Instant) -> Vec<Knocked> {
        if knocks.is_empty() {
            return Vec::new();
        }
        let (asked, peers) = (Instant::now(), self.shared.peers.clone());
        let _turn = self.looking.lock().await;
        self.witness.whose(asked, knocks, since, move |ip| peers.include(ip)).await
    }

    /// Ends every control channel, after what was seen of its side is kept.
    pub(super) async fn end(&self) {
        self.ending.send_replace(true);
        while self.joined.load(Ordering::SeqCst) > 0 {
            self.gone.notified().await;
        }
    }

    /// How many were joined at once, at most, since the last time nobody was.
    pub(super) fn crowd(&self) -> usize {
        self.crowd.load(Ordering::SeqCst)
    }

    /// A joined side is no longer there.
    pub(super) fn left(&self) {
        if self.joined.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.crowd.store(0, Ordering::SeqCst);
        }
        self.gone.notify_one();
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
            strangers: self.witness.strangers_since(self.began, |ip| self.shared.peers.include(ip)),
        };
        let mut run = session::record(&self.profile, &self.sides, Vec::new(), None, Some(sightings));
        run.run.word = Some(word.fingerprint());
        self.write(&run);
    }

    /// Keeps a run that this side took part in.
    pub(super) fn keep(&self, outcomes: Vec<Outcome>, peer: Peer, sightings: Sightings) {
        self.write(&session::record(&self.profile, &self.sides, outcomes, Some(peer), Some(sightings)));
    }

    fn write(&self, run: &Run) {
        let Some(folder) = &self.collect else { return };
        let side = self.sides.first().map_or("side", |side| side.as_str());
        let path = folder.join(format!("{side}-{}.json", run.run.id));
        let bytes = crate::report::render(crate::report::Format::Json, run, &colour::of_file(false));
        match std::fs::write(&path, bytes) {
            Ok(()) => output::say(&format!("Kept in {}", path.display())),
            Err(error) => output::say(&format!("{} can't be written: {error}", path.display())),
        }
    }

    fn admissions(&self, joined: &Joined) -> Vec<Admission> {
        let peers = &self.shared.peers;
        let known = joined.addresses();
        for address in known.iter().chain([&joined.address]) {
            self.witness.probe(*address);
        }
        let mut admissions = vec![peers.admit(joined.address)];
        admissions
            .extend(known.iter().filter(|known| **known != joined.address).map(|named| peers.admit_named(*named)));
        // This side's own flows may go to roles that it plays itself, and both sides may be on this machine.
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let own = loopback.into_iter().chain(sys::own_addresses());
        admissions.extend(own.map(|address| peers.admit(address)));
        admissions
    }
}

impl Host for Listening {
    fn admit(&self, joined: Joined) -> Option<Box<dyn listener::Guest>> {
        let listening = self.me.upgrade()?;
        let now = self.joined.fetch_add(1, Ordering::SeqCst) + 1;
        self.crowd.fetch_max(now, Ordering::SeqCst);
        if now == 1 {
            *self.ended_before.lock().unwrap_or_else(PoisonError::into_inner) = self.witness.ended();
        }
        let roles = joined.hello.sides.iter().map(Role::as_str).collect::<Vec<_>>().join(", ");
        let way = if joined.hello.through_proxy { " through a proxy" } else { "" };
        output::say(&format!("{} ({roles}) has joined{way}.", joined.address));
        let admissions = self.admissions(&joined);
        Some(Box::new(Guest::new(listening, joined, admissions)))
    }

    fn ending(&self) -> BoxFuture<'static, ()> {
        let mut ending = self.ending.subscribe();
        Box::pin(async move {
            let _ = ending.wait_for(|ending| *ending).await;
        })
    }
}
