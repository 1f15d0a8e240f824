//! The door: by the word, and by nothing else, an unknown address becomes a peer's; who is listened to there takes little.

use bothways::model::token::Token;
use bothways::peer::listener::Joined;
use bothways::peer::message::{Hello, VERSION};
use bothways::responder::{Limits, Open};
use tokio::io::AsyncWriteExt;

use super::*;

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

/// A responder with the door open, and the word.
async fn opened(limits: Limits) -> (Open, Arc<Shared>, String) {
    let shared = shared(limits, only_the_peer());
    let service = Service::Tcp(responder::tcp::Service::default());
    let open = open(service, &shared).await;
    let word = shared.door.open(&shared.limits);
    (open, shared, word)
}

fn introduction(word: &str) -> Vec<u8> {
    [Token::INTRODUCTION, word].concat().into_bytes()
}

/// What a stranger hears after it has said this.
async fn heard_after(text: &[u8], from: Ipv4Addr, open: &Open) -> Vec<u8> {
    let mut stranger = connect(from, open.address).await;
    // It may be closed before everything is said.
    let _ = stranger.write_all(text).await;
    said(&mut stranger).await
}

#[tokio::test]
async fn whoever_says_the_word_is_a_peer_for_as_long_as_it_is_kept() {
    let (open, shared, word) = opened(Limits::default()).await;
    assert_eq!(heard_after(&introduction(&word), STRANGER, &open).await, b"", "nobody is answered at the door");
    assert!(shared.peers.include(STRANGER.into()));
    let met = shared.door.close(&word);
    assert_eq!(met.iter().map(|met| met.address).collect::<Vec<_>>(), [IpAddr::from(STRANGER)]);
    drop(met);
    assert!(!shared.peers.include(STRANGER.into()));
}

#[tokio::test]
async fn a_wrong_word_or_one_of_a_closed_door_lets_nobody_in() {
    let (open, shared, word) = opened(Limits { door_reading: Duration::from_millis(50), ..Limits::default() }).await;
    let wrong = introduction(&"0".repeat(word.len()));
    assert_eq!(heard_after(&wrong, STRANGER, &open).await, b"");
    shared.door.close(&word);
    assert_eq!(heard_after(&introduction(&word), STRANGER, &open).await, b"");
    assert!(!shared.peers.include(STRANGER.into()));
}

#[tokio::test]
async fn a_word_is_worth_nothing_when_its_time_is_up() {
    let (open, shared, word) = opened(Limits { door_time: Duration::ZERO, ..Limits::default() }).await;
    assert_eq!(heard_after(&introduction(&word), STRANGER, &open).await, b"");
    assert!(!shared.peers.include(STRANGER.into()));
}

#[tokio::test]
async fn who_says_nothing_or_too_much_at_the_door_is_closed() {
    let patient = Limits { door_time: LONG, door_reading: LONG, stranger_bytes: 64, ..Limits::default() };
    let (open, _shared, _word) = opened(patient).await;
    assert_eq!(heard_after(&[b'x'; 64], STRANGER, &open).await, b"", "more than it may say");
    let hasty = Limits { door_reading: Duration::from_millis(50), door_time: LONG, ..Limits::default() };
    let (open, _shared, _word) = opened(hasty).await;
    assert_eq!(heard_after(b"", STRANGER, &open).await, b"", "nothing");
}

#[tokio::test]
async fn the_door_has_few_places_and_fewer_for_one_address() {
    let places =
        Limits { door_time: LONG, door_reading: LONG, door_places: 2, door_places_per_address: 1, ..Limits::default() };
    let (open, _shared, _word) = opened(places).await;
    let _first = connect(STRANGER, open.address).await;
    assert_eq!(heard_after(b"", STRANGER, &open).await, b"", "this address has its place");
    let _second = connect(Ipv4Addr::new(127, 0, 0, 3), open.address).await;
    assert_eq!(heard_after(b"", Ipv4Addr::new(127, 0, 0, 4), &open).await, b"", "all places are taken");
    let case = &over_tcp()[2];
    assert_served(case, &open, "strangers at the door").await;
}

#[tokio::test]
async fn one_peer_shows_few_addresses() {
    let (open, shared, word) = opened(Limits { door_addresses: 1, ..Limits::default() }).await;
    assert_eq!(heard_after(&introduction(&word), STRANGER, &open).await, b"");
    let further = Ipv4Addr::new(127, 0, 0, 3);
    assert_eq!(heard_after(&introduction(&word), further, &open).await, b"");
    assert!(shared.peers.include(STRANGER.into()) && !shared.peers.include(further.into()));
}

#[test]
fn of_the_addresses_that_a_joined_side_names_eight_are_heard() {
    let hello = Hello {
        version: VERSION,
        token: String::new(),
        run: String::new(),
        sides: Vec::new(),
        addresses: (1..=200).map(|last| IpAddr::from([10, 0, 0, last])).collect(),
        through_proxy: false,
        checks: Vec::new(),
        timeout_ms: None,
        deadline_ms: None,
    };
    let joined = Joined { hello, address: STRANGER.into(), since: Instant::now() };
    let heard = joined.addresses();
    assert_eq!((heard[0], heard.len()), (IpAddr::from(STRANGER), 9), "the channel's own, and eight");
}
