//! The listening end of the control channel: proves who joins, then does what the messages allow and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::Role as End;

use super::limits::Limits;
use super::message::{FromJoiner, FromListener, Hello, VERSION, Welcome};
use super::speech::{Broken, First, Speech};
use super::turns::{Turn, Turns};
use crate::model::flow::Transport;
use crate::model::knock::{Knock, Knocked};
use crate::model::run::Outcome;
use crate::model::sighting::{Answering, Sightings};

/// How long a stranger may take to prove itself.
const PROOF: Duration = Duration::from_secs(20);
/// The time between two words to somebody that waits for its turn.
const TELLING: Duration = Duration::from_secs(10);
/// Addresses that a joining side may name for its probes. More are not heard.
const MOST_ADDRESSES: usize = 8;
/// Ports of whose knocks a joined side may ask at once. More are not looked for.
const MOST_KNOCKS: usize = 64;

/// What whoever asks for the channel is brought to.
pub struct Desk {
    pub invitation: Invitation,
    pub turns: Turns,
    pub limits: Limits,
}

impl Desk {
    #[must_use]
    pub fn new(invitation: Invitation, limits: Limits) -> Self {
        Self { invitation, turns: Turns::new(limits.tested_at_once), limits }
    }
}

/// Who may join, and until when.
pub struct Invitation {
    pub token: [u8; 16],
    pub until: Instant,
}

impl Invitation {
    fn holds(&self, hello: &Hello) -> Result<(), &'static str> {
        if Instant::now() >= self.until {
            return Err("the join code has expired; ask for a new one");
        }
        if !bool::from(hello.token.as_bytes().ct_eq(hex(&self.token).as_bytes())) {
            return Err("the join code is not this listener's");
        }
        if hello.version == VERSION { Ok(()) } else { Err("the two sides run different versions of bothways") }
    }
}

/// Bytes as the messages write them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Who has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    pub hello: Hello,
    /// Where the channel comes from.
    pub address: IpAddr,
    /// When it joined: nothing from before then is of its run.
    pub since: Instant,
}

impl Joined {
    /// The addresses that its probes may come from: the channel's first, then those that it named.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let named = self.hello.addresses.iter().take(MOST_ADDRESSES).map(IpAddr::to_canonical);
        let mut known = vec![self.address];
        for address in named {
            if !known.contains(&address) {
                known.push(address);
            }
        }
        known
    }
}

/// What a joined side asks its listener to test.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What answers at the joined side.
    pub answers: Vec<Answering>,
    /// SHA-256 of the certificate that its responders present.
    pub certificate: String,
    /// The checks to run; all where empty.
    pub checks: Vec<String>,
}

/// Ports of the joined side.
pub type Ports = Vec<(Transport, u16)>;

/// What the listening side does for one that joined, until it leaves: it is a peer as long as this is kept.
pub trait Guest: Send + Sync {
    /// The greeting, once it is its turn.
    fn welcome(&self) -> Welcome;
    /// Runs this side's own flows.
    fn test(&self, wanted: Wanted) -> BoxFuture<'_, Vec<Outcome>>;
    /// Lets whoever says the word that is given back show the address that it comes from.
    fn open_door(&self) -> String;
    /// Closes the door again; the addresses that were shown and not known before, and whose the knocks seem to be.
    fn close_door(&self, knocks: Vec<Knock>) -> BoxFuture<'_, (Vec<IpAddr>, Vec<Knocked>)>;
    /// Says a word on ports of the joined side, and knocks on others; the knocks.
    fn introduce(&self, word: String, ports: Ports, knock: Ports) -> BoxFuture<'_, Vec<Knock>>;
    /// What was seen of it.
    fn seen(&self) -> BoxFuture<'_, Sightings>;
    /// It has left; the outcomes that it was told last are given for keeping.
    fn left(&self, outcomes: Vec<Outcome>) -> BoxFuture<'_, ()>;
}

/// The listening side.
pub trait Host: Send + Sync {
    /// Takes somebody in who has proved itself; nobody when the listening side is ending.
    fn admit(&self, joined: Joined) -> Option<Box<dyn Guest>>;
    /// Completes when nobody is served any longer.
    fn ending(&self) -> BoxFuture<'static, ()>;
}

/// Serves one channel until it ends.
pub async fn serve<S>(stream: S, from: SocketAddr, desk: &Desk, host: Arc<dyn Host>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut speech = Speech::over(stream, End::Server).await;
    let Ok(Ok(FromJoiner::Hello(hello))) = timeout(PROOF, speech.hear()).await else { return };
    if let Err(why) = desk.invitation.holds(&hello) {
        let _ = speech.say(&FromListener::Refused { why: why.to_owned() }).await;
        speech.close().await;
        return;
    }
    let joined = Joined { hello, address: from.ip().to_canonical(), since: Instant::now() };
    let Some(guest) = host.admit(joined) else { return };
    let mut told = Vec::new();
    let mut talk = Talk { speech: &mut speech, desk, guest: guest.as_ref(), told: &mut told };
    tokio::select! {
        _ = talk.converse() => {}
        () = host.ending() => {}
    }
    guest.left(told).await;
    speech.close().await;
}

/// What is said on one channel to one that has joined.
struct Talk<'a, S> {
    speech: &'a mut Speech<S>,
    desk: &'a Desk,
    guest: &'a dyn Guest,
    /// The outcomes that it was told last.
    told: &'a mut Vec<Outcome>,
}

impl<'a, S> Talk<'a, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Waits for a turn, and tells from time to time how many are before it; none where it is not waited for any longer.
    async fn turn(&mut self) -> Result<Option<Turn<'a>>, Broken> {
        let (waiting, ends) = (self.desk.turns.line_up(), tokio::time::Instant::now() + self.desk.limits.turn_wait);
        let mut turn = pin!(waiting.turn());
        // Whoever need not wait is told nothing of it.
        let (mut next, mut told) = (tokio::time::Instant::now(), None);
        loop {
            match self.speech.during::<_, FromJoiner>(timeout_at(next.min(ends), &mut turn)).await? {
                First::Done(Ok(turn)) => return Ok(turn),
                First::Done(Err(_)) if tokio::time::Instant::now() >= ends => return Ok(None),
                First::Done(Err(_)) => {
                    let before = waiting.before();
                    if told.replace(before) != Some(before) {
                        self.speech.say(&FromListener::Wait { before }).await?;
                    }
                    next = tokio::time::Instant::now() + TELLING;
                }
                First::Heard(_) => return Ok(None),
            }
        }
    }

    /// Waits for a turn, then answers what is asked.
    async fn converse(&mut self) -> Result<(), Broken> {
        let Some(turn) = self.turn().await? else { return Ok(()) };
        let turn_time = self.desk.limits.turn_time;
        let mut answering = pin!(self.answer());
        if let Ok(ended) = timeout(turn_time, answering.as_mut()).await {
            return ended;
        }
        drop(turn);
        answering.await
    }

    /// Answers what is asked, until the other side says goodbye or is gone.
    async fn answer(&mut self) -> Result<(), Broken> {
        self.speech.say(&FromListener::Welcome(self.guest.welcome())).await?;
        let mut next = None;
        loop {
            let message = match next.take() {
                Some(message) => message,
                None => {
                    timeout(self.desk.limits.asking_nothing, self.speech.hear()).await.map_err(|_| Broken::Silent)??
                }
            };
            match message {
                FromJoiner::Test { answers, certificate, checks } => {
                    let partly = !checks.is_empty();
                    match self.speech.during(self.guest.test(Wanted { answers, certificate, checks })).await? {
                        First::Done(outcomes) => {
                            replace(self.told, &outcomes, partly);
                            self.speech.say(&FromListener::Tested { outcomes }).await?;
                        }
                        // Whoever asks for something else does not wait for the flows any longer.
                        First::Heard(other) => next = Some(other),
                    }
                }
                FromJoiner::Introduce => self.speech.say(&FromListener::Door { word: self.guest.open_door() }).await?,
                FromJoiner::Introduced { mut knocks } => {
                    knocks.truncate(MOST_KNOCKS);
                    let (addresses, knocked) = self.guest.close_door(knocks).await;
                    self.speech.say(&FromListener::Met { addresses, knocked }).await?;
                }
                FromJoiner::IntroduceYourself { word, ports, knock } => {
                    let knocks = self.guest.introduce(word, ports, knock).await;
                    self.speech.say(&FromListener::Said { knocks }).await?;
                }
                FromJoiner::WhatDidYouSee => {
                    let sightings = self.guest.seen().await;
                    self.speech.say(&FromListener::Saw(sightings)).await?;
                }
                FromJoiner::Hello(_) | FromJoiner::Bye => return Ok(()),
            }
        }
    }
}

/// Keeps what was tested last: all of it, or in part.
fn replace(told: &mut Vec<Outcome>, outcomes: &[Outcome], partly: bool) {
    if partly {
        let anew = |old: &Outcome| outcomes.iter().any(|new| new.check == old.check && new.endpoint == old.endpoint);
        told.retain(|old| !anew(old));
    } else {
        told.clear();
    }
    told.extend_from_slice(outcomes);
}
