//! The listening end of the control channel: proves who joins, then does what the messages allow and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Role as End;

use super::message::{FromJoiner, FromListener, Hello, VERSION, Welcome};
use super::speech::{Broken, Speech};
use crate::model::run::Outcome;
use crate::model::sighting::{Answering, Sightings};

/// How long a stranger may take to prove itself.
const PROOF: Duration = Duration::from_secs(5);
/// How long a joined side may say nothing.
const PATIENCE: Duration = Duration::from_secs(600);
/// Addresses that a joining side may name for its probes.
const MOST_ADDRESSES: usize = 8;

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

/// A peer's place among those who are answered; given up when dropped.
pub trait Place: Send {}

/// What the listening side does for those who join.
pub trait Host: Send + Sync {
    /// The greeting, without the joining side's address.
    fn welcome(&self, address: IpAddr) -> Welcome;
    /// Counts a proved address, and those that it names as its own, as peers until the place is dropped.
    fn admit(&self, address: IpAddr, named: &[IpAddr]) -> Box<dyn Place>;
    /// Runs this side's own flows for a joined side whose responders answer as it says.
    fn test(&self, joined: &Joined, answers: Vec<Answering>, certificate: String) -> BoxFuture<'static, Vec<Outcome>>;
    /// What was seen of a joined side.
    fn seen_of(&self, joined: &Joined) -> Sightings;
    /// A joined side has left; what it was told last is given for keeping.
    fn left(&self, joined: &Joined, outcomes: Vec<Outcome>, sightings: Option<Sightings>);
}

/// Serves one channel until it ends.
pub async fn serve<S>(stream: S, from: SocketAddr, invitation: &Invitation, host: Arc<dyn Host>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut speech = Speech::over(stream, End::Server).await;
    let Ok(Ok(FromJoiner::Hello(hello))) = timeout(PROOF, speech.hear()).await else { return };
    if let Err(why) = invitation.holds(&hello) {
        let _ = speech.say(&FromListener::Refused { why: why.to_owned() }).await;
        speech.close().await;
        return;
    }
    let joined = Joined { hello, address: from.ip().to_canonical(), since: Instant::now() };
    let named: Vec<IpAddr> = joined.hello.addresses.iter().take(MOST_ADDRESSES).map(IpAddr::to_canonical).collect();
    let _place = host.admit(joined.address, &named);
    let mut told = Told::default();
    let _ = converse(&mut speech, &joined, host.as_ref(), &mut told).await;
    host.left(&joined, told.outcomes, told.sightings);
    speech.close().await;
}

/// What a joined side was told, for keeping.
#[derive(Default)]
struct Told {
    outcomes: Vec<Outcome>,
    sightings: Option<Sightings>,
}

async fn converse<S>(speech: &mut Speech<S>, joined: &Joined, host: &dyn Host, told: &mut Told) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    speech.say(&FromListener::Welcome(host.welcome(joined.address))).await?;
    while let Ok(message) = timeout(PATIENCE, speech.hear()).await {
        match message? {
            FromJoiner::Test { answers, certificate } => {
                told.outcomes = host.test(joined, answers, certificate).await;
                speech.say(&FromListener::Tested { outcomes: told.outcomes.clone() }).await?;
            }
            FromJoiner::WhatDidYouSee => {
                let sightings = host.seen_of(joined);
                speech.say(&FromListener::Saw(sightings.clone())).await?;
                told.sightings = Some(sightings);
            }
            FromJoiner::Hello(_) | FromJoiner::Bye => return Ok(()),
        }
    }
    Ok(())
}
