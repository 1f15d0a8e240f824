//! Whatever the far side says: nothing red or undecided becomes green, and nothing panics.

use std::net::{IpAddr, SocketAddr};

use bothways::diagnose::both::{Observed, union, with_far_side};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::model::flow::{Role, Transport};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::{AnsweredBy, Answering, Means, Sighting, SightingKind, Sightings};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::scene::{TOKEN, bare, given, stopped, with};

fn transport() -> impl Strategy<Value = Transport> {
    select(vec![Transport::Tcp, Transport::Udp])
}

fn endpoint() -> impl Strategy<Value = SocketAddr> {
    let addresses =
        ["10.9.1.2:50000", "[::ffff:10.9.1.2]:50000", "10.9.1.2:0", "10.9.2.2:443", "10.9.2.2:69", "[::1]:443"];
    select(addresses.map(|text| text.parse().expect("an address")).to_vec())
}

fn facts() -> impl Strategy<Value = Vec<(Fact, serde_json::Value)>> {
    let some = vec![
        (Fact::Token, TOKEN.into()),
        (Fact::LocalAddress, "10.9.1.2:50000".into()),
        (Fact::LocalAddress, "nowhere".into()),
        (Fact::Proxy, "proxy:8080".into()),
        (Fact::Echoed, true.into()),
        (Fact::SentBytes, 200.into()),
        (Fact::ReceivedBytes, 0.into()),
        (Fact::RequestBodyWanted, 5000.into()),
        (Fact::RequestBodyBytes, 5000.into()),
        (Fact::BodyBytes, 77.into()),
        (Fact::TlsFingerprint, "00ff".into()),
    ];
    let length = some.len();
    subsequence(some, 0..=length)
}

prop_compose! {
    fn outcome()(
        transport in transport(),
        status in select(Status::ALL.to_vec()),
        code in select(Code::ALL.to_vec()),
        port in select(vec![443u16, 69, 1]),
        facts in facts(),
        kind in select(vec![StepKind::Connect, StepKind::Tls, StepKind::Reply]),
        failure in select(vec![Failure::TimedOut, Failure::Refused, Failure::Reset]),
        hostless: bool,
    ) -> Outcome {
        let code = if status == Status::Pass { Code::Ok } else { code };
        let outcome = stopped(with(given(transport, port, status, code), &facts), kind, failure);
        if hostless { Outcome { target: None, port: None, ..outcome } } else { outcome }
    }
}

prop_compose! {
    fn receipt()(
        protocol in select(vec!["http", "websocket", "tcp", "sql-browser", "tftp", "other", ""]),
        token in prop::option::of(select(vec![TOKEN, "ffffffffffffffff", ""])),
        source in select(vec!["10.9.1.2:50000", "198.51.100.7:9", "[::ffff:10.9.1.2]:50000", "nowhere", ""]),
        port in select(vec![443u16, 69]),
        received: u64,
        sent: u64,
        presented in prop::option::of(select(vec!["00FF", "ä", ""])),
        headers in prop::collection::vec(("[a-z-]{0,12}", "\\PC{0,12}"), 0..4),
        asked in prop::option::of("\\PC{0,12}"),
    ) -> Receipt {
        let presented = presented.map(str::to_owned);
        let token = token.map(str::to_owned);
        Receipt { token, source: source.to_owned(), presented, headers, asked, ..bare(protocol, port, received, sent) }
    }
}

prop_compose! {
    fn sighting()(
        kind in select(vec![SightingKind::HalfOpen, SightingKind::HalfOpenEnded, SightingKind::RequestIn, SightingKind::ReplyOut]),
        transport in transport(),
        remote in endpoint(),
        local in endpoint(),
    ) -> Sighting {
        Sighting { kind, transport, remote, local, at_ms: 0, icmp: None }
    }
}

prop_compose! {
    fn answering()(
        transport in transport(),
        port in select(vec![443u16, 69]),
        endpoint in select(vec!["server", "server-2"]),
        by in select(vec![AnsweredBy::Responder, AnsweredBy::Service, AnsweredBy::Nothing]),
    ) -> Answering {
        let checks = vec!["flow".to_owned()];
        Answering { role: Role::new("server"), endpoint: endpoint.to_owned(), transport, port, checks, by, over_v6: None }
    }
}

prop_compose! {
    fn sightings()(
        receipts in prop::collection::vec(receipt(), 0..4),
        sighted in prop::collection::vec(sighting(), 0..5),
        means in subsequence(vec![Means::ConnectionTable, Means::Counters, Means::Packets], 0..=3),
        answers in prop::collection::vec(answering(), 0..3),
    ) -> Sightings {
        Sightings { receipts, sighted, means, answers, ..Sightings::default() }
    }
}

proptest! {
    #[test]
    fn nothing_becomes_green_and_what_is_said_has_words(
        given in outcome(),
        far in sightings(),
        prober in endpoint(),
        alone: bool,
        certificate in prop::option::of(select(vec!["00ff", "11ee"])),
    ) {
        let observed = Observed { prober: prober.ip(), alone, certificate: certificate.map(str::to_owned), governs: false, near: None };
        let mut judged = given.clone();
        with_far_side(&mut judged, &far, &observed);
        prop_assert!(judged.status != Status::Pass || given.status == Status::Pass, "{:?} became a pass", given.status);
        prop_assert!(!judged.sentence.is_empty());
        let untested = matches!(given.status, Status::Skip | Status::Error);
        prop_assert!(!untested || (judged.status, judged.code, &judged.sentence) == (given.status, given.code, &given.sentence));
        let mut again = judged.clone();
        with_far_side(&mut again, &far, &observed);
        prop_assert_eq!(again.status, judged.status, "judged twice: {} then {}", judged.sentence, again.sentence);
    }

    #[test]
    fn without_any_evidence_nothing_but_the_certificate_is_judged(given in outcome()) {
        let observed = Observed { prober: IpAddr::from([10, 9, 1, 2]), alone: true, certificate: None, governs: false, near: None };
        let mut judged = given.clone();
        with_far_side(&mut judged, &Sightings::default(), &observed);
        judged.lost = given.lost;
        prop_assert_eq!(judged, given);
    }

    #[test]
    fn no_tested_outcome_is_lost(own in prop::collection::vec(outcome(), 0..5), theirs in prop::collection::vec(outcome(), 0..5)) {
        let joined = union(own.clone(), theirs.clone());
        for one in own.iter().chain(&theirs).filter(|one| one.status != Status::Skip) {
            prop_assert!(joined.contains(one));
        }
    }
}
