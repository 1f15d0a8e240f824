//! The joining end of the control channel: asks the listener, and goes on without it where the channel breaks.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use super::listener::{Wanted, hex};
use super::message::{FromJoiner, FromListener, Hello, Welcome};
use super::search::{Found, Missed, Search};
use super::speech::{Broken, First, Speech};
use crate::model::flow::Transport;
use crate::model::knock::{Knock, Knocked};
use crate::model::run::Outcome;
use crate::model::sighting::Sightings;
use crate::net::Stream;

/// How long a listener may take for what needs no probing.
const ANSWER: Duration = Duration::from_secs(30);
/// How long leaving may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long it may take until it is this side's turn, of many that have joined.
const TURN: Duration = Duration::from_secs(1800);

/// A channel to a listener that has let us in.
pub struct Channel {
    speech: Speech<Stream>,
    broken: bool,
    pub welcome: Welcome,
    /// Where the listener, or the proxy, was found.
    pub found: SocketAddr,
    /// The host of the join code that was used.
    pub host: String,
    pub port: u16,
    /// The listener's addresses as far as they are known: its probes may come from any of them.
    pub listener_addresses: Vec<IpAddr>,
    pub through_proxy: bool,
}

/// Why a listener could not be joined, or asked.
#[derive(Debug, thiserror::Error)]
pub enum CantJoin {
    #[error("the listener was not reached")]
    Unreached(Missed),
    #[error("the listener refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("it did not answer in time")]
    Late,
    #[error("it answered out of turn")]
    OutOfTurn,
    #[error("it was lost before")]
    Lost,
}

impl Search<'_> {
    /// Finds the listener and joins it. `hello` is filled in with the token and the way. Where many have joined, `wait` is told
    /// how many are tested before.
    ///
    /// # Errors
    /// [`CantJoin`], with every way that was tried.
    pub async fn join(&self, mut hello: Hello, wait: impl Fn(usize)) -> Result<Channel, CantJoin> {
        hello.token = hex(&self.code.token);
        let Found { mut speech, listener, host, port, through_proxy } =
            self.reach().await.map_err(CantJoin::Unreached)?;
        hello.through_proxy = through_proxy;
        speech.say(&FromJoiner::Hello(hello)).await?;
        let answer = timeout(TURN, greeting(&mut speech, wait)).await.map_err(|_| CantJoin::Late)??;
        match answer {
            FromListener::Welcome(welcome) => {
                let direct = (!through_proxy).then(|| listener.ip().to_canonical());
                let named = self.code.hosts.iter().filter_map(|host| host.parse().ok());
                Ok(Channel {
                    speech,
                    broken: false,
                    welcome,
                    found: listener,
                    host,
                    port,
                    listener_addresses: direct.into_iter().chain(named).collect(),
                    through_proxy,
                })
            }
            FromListener::Refused { why } => Err(CantJoin::Refused(why)),
            _ => Err(CantJoin::OutOfTurn),
        }
    }
}

impl Channel {
    /// Asks the other side to run its own flows while `own` runs here. Once that has ended, the others are waited for until
    /// `give_up` completes.
    pub async fn test<W: Future>(
        &mut self,
        wanted: Wanted,
        own: W,
        give_up: impl Future<Output = ()>,
    ) -> (W::Output, Result<Vec<Outcome>, CantJoin>) {
        let mut own = pin!(own);
        let Wanted { answers, certificate, checks } = wanted;
        if let Err(broken) = self.say(&FromJoiner::Test { answers, certificate, checks }).await {
            return (own.await, Err(broken));
        }
        match self.speech.during(&mut own).await {
            Ok(First::Done(mine)) => {
                let theirs = tokio::select! {
                    heard = self.speech.hear() => heard.map_err(CantJoin::from).and_then(tested),
                    () = give_up => Err(CantJoin::Late),
                };
                self.note(&theirs);
                (mine, theirs)
            }
            Ok(First::Heard(answer)) => {
                let theirs = tested(answer);
                self.note(&theirs);
                (self.while_alive(own).await, theirs)
            }
            Err(broken) => {
                self.broken = true;
                (own.await, Err(broken.into()))
            }
        }
    }

    /// Asks the other side to run some of its flows again.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn test_again(&mut self, wanted: Wanted) -> Result<Vec<Outcome>, CantJoin> {
        let Wanted { answers, certificate, checks } = wanted;
        self.say(&FromJoiner::Test { answers, certificate, checks }).await?;
        let theirs = self.speech.hear().await.map_err(CantJoin::from).and_then(tested);
        self.note(&theirs);
        theirs
    }

    /// Keeps the channel alive while work is done that needs no word of the other side.
    pub async fn while_alive<W: Future>(&mut self, work: W) -> W::Output {
        let mut work = pin!(work);
        if !self.broken {
            match self.speech.during::<_, FromListener>(&mut work).await {
                Ok(First::Done(done)) => return done,
                Ok(First::Heard(_)) | Err(_) => self.broken = true,
            }
        }
        work.await
    }

    /// Asks for a word with which to show the other side the addresses that the probes come from.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn introduce(&mut self) -> Result<String, CantJoin> {
        match self.ask(&FromJoiner::Introduce).await? {
            FromListener::Door { word } => Ok(word),
            _ => Err(CantJoin::OutOfTurn),
        }
    }

    /// Asks which addresses were new to the other side, and whose it holds the knocks for.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn introduced(&mut self, knocks: Vec<Knock>) -> Result<(Vec<IpAddr>, Vec<Knocked>), CantJoin> {
        match self.ask(&FromJoiner::Introduced { knocks }).await? {
            FromListener::Met { addresses, knocked } => Ok((addresses, knocked)),
            _ => Err(CantJoin::OutOfTurn),
        }
    }

    /// Has the other side say a word on ports of this one, and knock on others; its knocks.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn introduce_yourself(
        &mut self,
        word: String,
        ports: Vec<(Transport, u16)>,
        knock: Vec<(Transport, u16)>,
    ) -> Result<Vec<Knock>, CantJoin> {
        match self.ask(&FromJoiner::IntroduceYourself { word, ports, knock }).await? {
            FromListener::Said { knocks } => Ok(knocks),
            _ => Err(CantJoin::OutOfTurn),
        }
    }

    /// Asks what the other side saw of this one.
    ///
    /// # Errors
    /// The channel broke.
    pub async fn what_did_you_see(&mut self) -> Result<Sightings, CantJoin> {
        let mut answer = self.ask(&FromJoiner::WhatDidYouSee).await?;
        // Flows that nobody waited for any longer may have ended all the same.
        while matches!(answer, FromListener::Tested { .. }) {
            answer = self.heard().await?;
        }
        match answer {
            FromListener::Saw(sightings) => Ok(sightings),
            _ => Err(CantJoin::OutOfTurn),
        }
    }

    async fn ask(&mut self, question: &FromJoiner) -> Result<FromListener, CantJoin> {
        self.say(question).await?;
        self.heard().await
    }

    async fn say(&mut self, message: &impl Serialize) -> Result<(), CantJoin> {
        if self.broken {
            return Err(CantJoin::Lost);
        }
        let said = self.speech.say(message).await;
        self.broken = said.is_err();
        Ok(said?)
    }

    async fn heard(&mut self) -> Result<FromListener, CantJoin> {
        let heard = timeout(ANSWER, self.speech.hear()).await;
        self.broken = !matches!(heard, Ok(Ok(_)));
        match heard.map_err(|_| CantJoin::Late)?? {
            FromListener::Refused { why } => Err(CantJoin::Refused(why)),
            answer => Ok(answer),
        }
    }

    /// A listener that is late is not gone: it may be asked something else.
    fn note<T>(&mut self, ended: &Result<T, CantJoin>) {
        self.broken |= ended.as_ref().is_err_and(|error| !matches!(error, CantJoin::Late));
    }

    /// Leaves.
    pub async fn bye(mut self) {
        let goodbye = async {
            if self.say(&FromJoiner::Bye).await.is_ok() {
                self.speech.close().await;
            }
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// What the listener says once it is this side's turn.
async fn greeting(speech: &mut Speech<Stream>, wait: impl Fn(usize)) -> Result<FromListener, Broken> {
    loop {
        match speech.hear().await? {
            FromListener::Wait { before } => wait(before),
            answer => return Ok(answer),
        }
    }
}

fn tested(answer: FromListener) -> Result<Vec<Outcome>, CantJoin> {
    match answer {
        FromListener::Tested { outcomes } => Ok(outcomes),
        FromListener::Refused { why } => Err(CantJoin::Refused(why)),
        _ => Err(CantJoin::OutOfTurn),
    }
}
