//! The tables of which half was lost: what both sides saw of one flow, row by row.

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, Icmp, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::AnsweredBy::{Nothing, Responder, Service};
use bothways::model::sighting::Means::{ConnectionTable, Counters, Packets};
use bothways::model::sighting::SightingKind::{
    HalfOpen, HalfOpenEnded, NoWayBack, RefusalOut, ReplyIn, ReplyOut, ReplyRefused, RequestIn, RequestOut,
};
use bothways::model::sighting::{AnsweredBy, Sightings};

use crate::both::scene::{Far, PROBER, far, near, ours, stopped, tcp, udp, with, with_token};

type Shown = Vec<(&'static str, Outcome)>;

fn prohibited(from: &str) -> Icmp {
    Icmp { kind: 3, code: 13, from: Some(from.parse().expect("an address")), v6: false }
}

/// A connection of [`PROBER`] that failed so.
fn failed(code: Code, failure: Failure) -> Outcome {
    let outcome = stopped(tcp(Status::Fail, code), StepKind::Connect, failure);
    with(outcome, &[(Fact::LocalAddress, PROBER.into()), (Fact::Address, "10.9.2.2:443".into())])
}

fn with_own<'a>(mut far: Far<'a>, own: &'a Sightings) -> Far<'a> {
    far.observed.near = Some(own);
    far
}

/// Every row is shown, and what is shown is judged as its row says.
#[track_caller]
fn assert_halves(table: usize, shown: &Shown) {
    let rows = &super::tables("Which half was lost")[table];
    for cells in rows {
        let [seen, said] = &cells[..] else { panic!("two cells: {cells:?}") };
        let outcomes: Vec<&Outcome> = shown.iter().filter(|(name, _)| name == seen).map(|(_, judged)| judged).collect();
        assert!(!outcomes.is_empty(), "nothing shows the row `{seen}`");
        for judged in outcomes {
            let [_, held, lost, _] = super::verdict(&super::judgement(judged));
            let half =
                if lost.is_empty() { !said.contains("`lost:") } else { said.contains(&format!("`lost: {lost}`")) };
            let coded = said.starts_with("`lost:")
                || said.starts_with("not said")
                || said.contains(&format!("`{}`", judged.code));
            let open = !said.contains("likely") || held == "likely";
            assert!(
                (half || lost.is_empty() && said.contains("not said")) && coded && open,
                "{seen}: {said}\n{judged:#?}"
            );
        }
    }
    for (name, _) in shown {
        assert!(rows.iter().any(|cells| cells[0] == *name), "there is no row `{name}`");
    }
}

#[test]
fn the_table_of_dropped_connections_is_what_the_judges_do() {
    let given = failed(Code::Dropped, Failure::TimedOut);
    let at = |by: AnsweredBy| far(&given, by);
    let packets = |by| at(by).watching(&[Packets]);
    let (none, came) = (near(&[]), near(&[RequestOut, ReplyIn]));
    let mut late = near(&[RequestOut, ReplyIn]);
    late.sighted[1].at_ms += 1;
    let ended = || at(Responder).watching(&[ConnectionTable, Counters]).saw_of(HalfOpenEnded, "10.9.1.2:0");
    let (opened, ends) =
        ("half-open there, or request and answer", "no packets; on its port half-open connections were ended");
    let met = "request and answer, and a reset or ICMP about the answer";
    let answer = || packets(Responder).saw(RequestIn).saw(ReplyOut);
    let table = [
        ("the answer at the prober's own interface, after the time of the check", with_own(answer(), &late)),
        ("the answer at the prober's own interface", with_own(packets(Responder), &came)),
        ("nothing leaving the prober, nothing arriving", with_own(packets(Responder), &none)),
        (
            "the request taken there, no answer leaving that host",
            at(Responder).watching(&[ConnectionTable, Packets]).saw(RequestIn).saw(HalfOpen),
        ),
        (met, answer().saw(ReplyRefused)),
        (met, answer().saw_rejected(prohibited("10.9.2.1"))),
        (opened, at(Responder).watching(&[ConnectionTable]).saw(HalfOpen)),
        (opened, packets(Service).saw(RequestIn).saw(ReplyOut)),
        ("request, and a refusal leaving that host", packets(Responder).saw(RequestIn).saw(RefusalOut)),
        ("request only", packets(Service).saw(RequestIn)),
        (
            "request only, and that host has no route back to where it came from",
            packets(Service).saw(RequestIn).saw(NoWayBack),
        ),
        (ends, ended().alone()),
        (ends, ended()),
        ("nothing, while packets were watched", packets(Nothing)),
        ("nothing, while the port was open and the table was watched", at(Service).watching(&[ConnectionTable])),
        ("nothing, and nothing listens there", at(Nothing).watching(&[ConnectionTable])),
    ];
    assert_halves(0, &table.into_iter().map(|(name, far)| (name, far.judge(&given))).collect());
}

#[test]
fn the_table_of_refused_connections_is_what_the_judges_do() {
    let given = failed(Code::Refused, Failure::Refused);
    let at = |by: AnsweredBy| far(&given, by);
    let own = near(&[]);
    let table = [
        ("nothing leaving the prober", with_own(at(Responder).watching(&[Packets]), &own)),
        (
            "the request, and a refusal leaving that host",
            at(Responder).watching(&[Packets]).saw(RequestIn).saw(RefusalOut),
        ),
        ("the request taken or answered", at(Responder).watching(&[ConnectionTable]).saw(HalfOpen)),
        ("the request taken or answered", at(Service).watching(&[Packets]).saw(RequestIn).saw(ReplyOut)),
        ("nothing, while the port was open", at(Responder).watching(&[ConnectionTable])),
        ("nothing, while the port was open", at(Service).watching(&[Packets])),
        ("nothing, though its packets are watched", at(Nothing).watching(&[Packets])),
        ("the service there listens on other addresses or for another family only", at(AnsweredBy::Elsewhere)),
        ("nothing listens there, and the port could not be opened", at(Nothing)),
    ];
    let alone = failed(Code::RefusedInPath, Failure::Refused);
    let watched = far(&alone, Responder).watching(&[Packets]).judge(&alone);
    let mut shown: Shown = table.into_iter().map(|(name, far)| (name, far.judge(&given))).collect();
    shown.push(("no packets, where one side alone knows that a device refuses", watched));
    assert_halves(1, &shown);
}

#[test]
fn the_table_of_unanswered_datagrams_is_what_the_judges_do() {
    let given = with_token(udp(Status::Unknown, Code::NoAnswer));
    let at = |by: AnsweredBy| far(&given, by);
    let packets = |by| at(by).watching(&[Packets]);
    let answered = || ours("tftp", 69, 40, 30);
    let unsent = |failure| Receipt { unsent: Some(failure), ..ours("tftp", 69, 40, 0) };
    let (kept, back) = ("received, and its system did not let the answer out", "received and answered");
    let unsaid = "nothing, and receipts found no room or a service of its own holds the port, without packets";
    let mut crowded = at(Responder);
    crowded.sightings.missed = 1;
    let table = [
        (kept, at(Responder).received(unsent(Failure::Denied))),
        (kept, at(Responder).received(unsent(Failure::NetworkUnreachable))),
        (
            "the packet, and that host has no route back to where it came from",
            packets(Service).saw(RequestIn).saw(NoWayBack),
        ),
        (back, at(Responder).received(answered())),
        (back, packets(Service).saw(RequestIn).saw(ReplyOut).saw_rejected(prohibited("10.9.2.1"))),
        (
            "the packet, and an ICMP message of that host about an answer that did not leave it",
            packets(Service).saw(RequestIn).saw_rejected(prohibited("10.9.2.2")),
        ),
        ("the packet, and a refusal leaving that host", packets(Responder).saw(RequestIn).saw(RefusalOut)),
        ("the packet, and a service of its own holds the port", packets(Service).saw(RequestIn)),
        ("the packet, and no receipt", packets(Responder).saw(RequestIn)),
        ("nothing", at(Responder)),
        ("nothing", packets(Service)),
        (unsaid, crowded),
        (unsaid, at(Service).watching(&[ConnectionTable])),
    ];
    let shown: Shown = table.into_iter().map(|(name, far)| (name, far.judge(&given))).collect();
    assert_halves(3, &shown);
    let sender = shown.iter().find(|(name, judged)| *name == back && judged.path.rejected_by.is_some());
    assert!(sender.is_some_and(|(_, judged)| judged.confidence == Confidence::Proven), "its sender is named");
}
