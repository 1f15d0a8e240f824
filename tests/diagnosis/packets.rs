//! The table of large packets.

use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::{Http, Probe};

use super::seen::Seen;

fn asked() -> Seen {
    Seen::of(Probe::Http(Http { https: Some(false), ..Http::default() }), 80).accepted().went_well(StepKind::Request)
}

fn hangs() -> Seen {
    asked().fails(StepKind::Reply, Failure::TimedOut)
}

/// A responder answered.
fn works() -> Seen {
    answered_by_any().fact(Fact::Echoed, true)
}

fn answered_by_any() -> Seen {
    asked().went_well(StepKind::Reply).fact(Fact::Status, 200).fact(Fact::StatusExpected, true)
}

/// The first three cells of every row, and what shows it.
fn conversations() -> Vec<([&'static str; 3], Seen)> {
    vec![
        (["hangs, or is ended meanwhile", "works", "hangs"], hangs().fact(Fact::LargestPacket, 1300)),
        (["hangs", "works", "works"], hangs()),
        (["hangs", "hangs", "not tried"], hangs()),
        (["works after a long stop", "works", "hangs"], works().fact(Fact::LargestPacket, 1300)),
        (
            ["works, and the check asks for `full-packets`", "works", "hangs"],
            works().fact(Fact::FullPackets, false).fact(Fact::LargestPacket, 1300),
        ),
        (
            ["works, and a responder does not answer full packets in the time that is left", "no time", "hangs"],
            works().fact(Fact::FullPackets, false),
        ),
        (
            [
                "works, and full packets to any other server are not acknowledged in the time that is left",
                "no time",
                "hangs",
            ],
            answered_by_any().fact(Fact::FullPackets, false).fact(Fact::Unacknowledged, 1793),
        ),
        (
            ["works, and nothing shows that full packets do not pass", "hangs", "hangs"],
            answered_by_any().fact(Fact::FullPackets, false).fact(Fact::Unacknowledged, 0),
        ),
        (["works", "not tried", "not tried"], works()),
    ]
}

fn verdict(judgement: &Judgement) -> String {
    let [found, ..] = super::verdict(judgement);
    match found.as_str() {
        "pass ok" => "`pass`".to_owned(),
        "fail silent" => "as the conversation alone says".to_owned(),
        _ => format!("`{found}`"),
    }
}

#[test]
fn the_table_of_large_packets_is_what_the_judges_do() {
    let rows = super::rows("Large packets");
    let conversations = conversations();
    assert_eq!(rows.len(), conversations.len(), "{rows:#?}");
    for (cells, (shown, seen)) in rows.iter().zip(conversations) {
        assert_eq!(cells[..3], shown);
        let judgement = seen.judged();
        assert!(cells[3].starts_with(&verdict(&judgement)), "{cells:?}\n{judgement:#?}");
    }
}
