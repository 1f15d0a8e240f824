//! Those who have joined: so many are tested at once, the others wait and are told so, and none holds the channel for nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use bothways::model::flow::{Role, Transport};
use bothways::model::knock::{Knock, Knocked};
use bothways::model::run::Outcome;
use bothways::model::sighting::Sightings;
use bothways::peer::limits::Limits;
use bothways::peer::listener::{self, Desk, Guest, Host, Invitation, Joined, Wanted, hex};
use bothways::peer::message::{FromJoiner, FromListener, Hello, MOST_BYTES, VERSION, Welcome};
use bothways::peer::speech::{Broken, Speech};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Role as End;

use super::*;
use crate::support::hostile::garbage;

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);
const TOKEN: [u8; 16] = [7; 16];

/// A listening side that has nothing to test.
#[derive(Default)]
struct House {
    taken_in: AtomicUsize,
}

struct Nothing;

impl Host for House {
    fn admit(&self, _: Joined) -> Option<Box<dyn Guest>> {
        self.taken_in.fetch_add(1, Ordering::Relaxed);
        Some(Box::new(Nothing))
    }

    fn ending(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Guest for Nothing {
    fn welcome(&self) -> Welcome {
        let certificate = String::new();
        let (sides, answers) = (vec![Role::new("server")], Vec::new());
        Welcome { version: VERSION, sides, crowd: 1, your_address: STRANGER.into(), answers, certificate }
    }

    fn test(&self, _: Wanted) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn open_door(&self) -> String {
        String::new()
    }

    fn close_door(&self, knocks: Vec<Knock>) -> BoxFuture<'_, (Vec<IpAddr>, Vec<Knocked>)> {
        let unknown =
            |Knock { transport, port, over_v6, .. }| Knocked { transport, port, over_v6, from: None, doubtful: false };
        Box::pin(std::future::ready((Vec::new(), knocks.into_iter().map(unknown).collect())))
    }

    fn introduce(&self, _: String, _: Vec<(Transport, u16)>, _: Vec<(Transport, u16)>) -> BoxFuture<'_, Vec<Knock>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn seen(&self) -> BoxFuture<'_, Sightings> {
        Box::pin(std::future::ready(Sightings::default()))
    }

    fn left(&self, _: Vec<Outcome>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn desk(limits: Limits) -> Arc<Desk> {
    let until = Instant::now() + LONG;
    Arc::new(Desk::new(Invitation { token: TOKEN, until }, limits))
}

fn hello() -> Hello {
    Hello {
        version: VERSION,
        token: hex(&TOKEN),
        run: String::new(),
        sides: vec![Role::new("client")],
        addresses: Vec::new(),
        through_proxy: false,
        checks: Vec::new(),
        timeout_ms: None,
        deadline_ms: None,
    }
}

/// A channel on which nothing has been said, and what serves it.
fn channel(desk: &Arc<Desk>, house: &Arc<House>) -> (DuplexStream, JoinHandle<()>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (desk, house) = (Arc::clone(desk), Arc::clone(house));
    let serving = async move { listener::serve(far, (STRANGER, 50_000).into(), &desk, house).await };
    (near, tokio::spawn(serving))
}

/// One more that joins.
struct Joiner(Speech<DuplexStream>);

impl Joiner {
    async fn with(desk: &Arc<Desk>, house: &Arc<House>, hello: Hello) -> Self {
        let mut speech = Speech::over(channel(desk, house).0, End::Client).await;
        speech.say(&FromJoiner::Hello(hello)).await.expect("said");
        Self(speech)
    }

    async fn new(desk: &Arc<Desk>) -> Self {
        Self::with(desk, &Arc::default(), hello()).await
    }

    async fn hears(&mut self) -> Result<FromListener, Broken> {
        timeout(PATIENCE, self.0.hear()).await.expect("a word, or the end of the channel")
    }

    async fn is_welcome(&mut self) {
        let heard = self.hears().await;
        assert!(matches!(heard, Ok(FromListener::Welcome(_))), "{heard:?}");
    }

    async fn is_told_to_wait_for(&mut self, others: usize) {
        let heard = self.hears().await;
        assert!(matches!(heard, Ok(FromListener::Wait { before }) if before == others), "{heard:?}");
    }

    async fn is_closed(&mut self) {
        let heard = self.hears().await;
        assert!(heard.is_err(), "{heard:?}");
    }

    async fn leaves(mut self) {
        self.0.say(&FromJoiner::Bye).await.expect("said");
        self.is_closed().await;
    }
}

#[tokio::test]
async fn so_many_are_tested_at_once_and_the_others_are_told_how_many_are_before_them() {
    let desk = desk(Limits { tested_at_once: 2, turn_time: LONG, ..Limits::default() });
    let (mut first, mut second) = (Joiner::new(&desk).await, Joiner::new(&desk).await);
    first.is_welcome().await;
    second.is_welcome().await;
    let mut third = Joiner::new(&desk).await;
    third.is_told_to_wait_for(2).await;
    let mut fourth = Joiner::new(&desk).await;
    fourth.is_told_to_wait_for(3).await;
    let mut fifth = Joiner::new(&desk).await;
    fifth.is_told_to_wait_for(4).await;
    first.leaves().await;
    third.is_welcome().await;
    // Who leaves the line keeps nobody from a turn.
    fourth.leaves().await;
    second.leaves().await;
    fifth.is_welcome().await;
}

#[tokio::test]
async fn who_takes_long_goes_on_while_the_next_one_has_its_turn() {
    let desk = desk(Limits { tested_at_once: 1, turn_time: Duration::from_millis(50), ..Limits::default() });
    let mut first = Joiner::new(&desk).await;
    first.is_welcome().await;
    let mut second = Joiner::new(&desk).await;
    while matches!(second.hears().await, Ok(FromListener::Wait { .. })) {}
    first.0.say(&FromJoiner::WhatDidYouSee).await.expect("said");
    let heard = first.hears().await;
    assert!(matches!(heard, Ok(FromListener::Saw(_))), "{heard:?}");
    second.0.say(&FromJoiner::WhatDidYouSee).await.expect("said");
    let heard = second.hears().await;
    assert!(matches!(heard, Ok(FromListener::Saw(_))), "{heard:?}");
}

#[tokio::test]
async fn who_waits_too_long_for_its_turn_is_closed() {
    let desk =
        desk(Limits { tested_at_once: 1, turn_time: LONG, turn_wait: Duration::from_millis(50), ..Limits::default() });
    let mut first = Joiner::new(&desk).await;
    first.is_welcome().await;
    let mut second = Joiner::new(&desk).await;
    second.is_told_to_wait_for(1).await;
    second.is_closed().await;
}

#[tokio::test]
async fn who_is_there_and_asks_for_nothing_is_closed_at_last() {
    let desk = desk(Limits { asking_nothing: Duration::from_millis(50), ..Limits::default() });
    let mut idle = Joiner::new(&desk).await;
    idle.is_welcome().await;
    // It answers the pings meanwhile.
    idle.is_closed().await;
}

#[tokio::test]
async fn who_has_no_right_word_is_refused_in_a_sentence_and_taken_in_nowhere() {
    let (good, house) = (desk(Limits::default()), Arc::<House>::default());
    let expired = Desk::new(Invitation { token: TOKEN, until: Instant::now() }, Limits::default());
    let wrong = |token: &str| Hello { token: token.to_owned(), ..hello() };
    let later = Hello { version: VERSION + 1, ..hello() };
    let nearly = hex(&TOKEN[..15]) + "08";
    let cases = [
        (&good, wrong(""), "is not this listener's"),
        (&good, wrong(&nearly), "is not this listener's"),
        (&good, wrong(&hex(&TOKEN).repeat(2)), "is not this listener's"),
        (&good, later, "different versions"),
        (&Arc::new(expired), hello(), "has expired"),
    ];
    for (desk, hello, told) in cases {
        let mut caller = Joiner::with(desk, &house, hello).await;
        let heard = caller.hears().await;
        assert!(matches!(&heard, Ok(FromListener::Refused { why }) if why.contains(told)), "{told}: {heard:?}");
        caller.is_closed().await;
    }
    assert_eq!(house.taken_in.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nonsense_on_the_channel_ends_it_and_takes_nobody_in() {
    let (desk, house) = (desk(Limits::default()), Arc::<House>::default());
    let mut nonsense = vec![Vec::new(), garbage(), vec![0; 5000], b"\x81\x05hello".to_vec()];
    // Frames that are not masked, promise 2^63 bytes, end what was not begun, or are a ping of 64 KiB.
    nonsense.extend([&b"\x81\x02{}"[..], b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"].map(<[u8]>::to_vec));
    nonsense.extend([&b"\x80\x80\0\0\0\0"[..], b"\x89\xff\0\0\0\0\0\x01\0\0\0\0\0\0"].map(<[u8]>::to_vec));
    nonsense.extend((0..=255).map(|first| [&[first, 0x8b, 0, 0, 0, 0][..], b"{\"say\":1}  "].concat()));
    for bytes in nonsense {
        let (mut near, served) = channel(&desk, &house);
        let _ = near.write_all(&bytes).await;
        drop(near);
        timeout(PATIENCE, served).await.expect("it ends").expect("it does not panic");
    }
    assert_eq!(house.taken_in.load(Ordering::Relaxed), 0);
    Joiner::new(&desk).await.is_welcome().await;
}

#[tokio::test]
async fn a_joined_side_that_says_nonsense_or_too_much_is_closed() {
    let desk = desk(Limits::default());
    let test = |certificate: String| FromJoiner::Test { answers: Vec::new(), certificate, checks: Vec::new() };
    let mut long = Joiner::new(&desk).await;
    long.is_welcome().await;
    long.0.say(&test("x".repeat(1 << 20))).await.expect("said");
    assert!(matches!(long.hears().await, Ok(FromListener::Tested { .. })), "a long one is heard");
    // It may be closed before everything is said.
    let _ = long.0.say(&test("x".repeat(MOST_BYTES))).await;
    long.is_closed().await;
    let mut odd = Joiner::new(&desk).await;
    odd.is_welcome().await;
    odd.0.say(&serde_json::json!({ "say": "run", "command": "id" })).await.expect("said");
    odd.is_closed().await;
}

#[tokio::test]
async fn of_many_ports_with_knocks_only_so_many_are_looked_for() {
    let mut joiner = Joiner::new(&desk(Limits::default())).await;
    joiner.is_welcome().await;
    let knock = |port| Knock { transport: Transport::Tcp, port, over_v6: false, from: vec![50_000] };
    joiner.0.say(&FromJoiner::Introduced { knocks: (1..=1000).map(knock).collect() }).await.expect("said");
    let heard = joiner.hears().await;
    assert!(matches!(&heard, Ok(FromListener::Met { knocked, .. }) if knocked.len() == 64), "{heard:?}");
}
