//! What did not get through: dropped, refused and rejected connections, and datagrams without an answer.

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, Icmp, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status, Who};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::AnsweredBy::{Nothing, Responder, Service};
use bothways::model::sighting::Means::{ConnectionTable, Counters, Packets};
use bothways::model::sighting::SightingKind::{
    HalfOpen, HalfOpenEnded, NoWayBack, RefusalOut, ReplyIn, ReplyOut, ReplyRefused, RequestIn, RequestOut,
};
use bothways::model::sighting::Sightings;

use super::scene::{PROBER, bare, far, given, hold, near, ours, stopped, tcp, udp, verdict, with, with_token};

const PROVEN: Confidence = Confidence::Proven;
const LIKELY: Confidence = Confidence::Likely;
const REQUEST: Option<Lost> = Some(Lost::Request);
const REPLY: Option<Lost> = Some(Lost::Reply);
const NETWORK: Option<Who> = Some(Who::Network);
const HOST: Option<Who> = Some(Who::TargetHost);

fn dropped() -> Outcome {
    stopped(tcp(Status::Fail, Code::Dropped), StepKind::Connect, Failure::TimedOut)
}

#[test]
fn a_dropped_connection_splits_into_its_halves() {
    let given = dropped();
    let at = |by| far(&given, by);
    let says = |lost, confidence, who| (Status::Fail, Code::Dropped, lost, confidence, who);
    let stranger = "10.9.7.7:40000";
    let table = vec![
        ("half-open there", at(Responder).watching(&[ConnectionTable]).saw(HalfOpen), says(REPLY, PROVEN, NETWORK)),
        (
            "packets came and went",
            at(Service).watching(&[Packets]).saw(RequestIn).saw(ReplyOut),
            says(REPLY, PROVEN, NETWORK),
        ),
        (
            "packets came, and there is no way back",
            at(Service).watching(&[Packets]).saw(RequestIn).saw(NoWayBack),
            says(REPLY, PROVEN, HOST),
        ),
        ("packets came only", at(Service).watching(&[Packets]).saw(RequestIn), says(REQUEST, PROVEN, HOST)),
        ("packets came, nobody listens", at(Nothing).watching(&[Packets]).saw(RequestIn), says(REQUEST, LIKELY, HOST)),
        (
            "half-open, and no answer left",
            at(Responder).watching(&[ConnectionTable, Packets]).saw(RequestIn).saw(HalfOpen),
            says(REPLY, PROVEN, HOST),
        ),
        ("nothing in the table", at(Responder).watching(&[ConnectionTable]), says(REQUEST, PROVEN, NETWORK)),
        ("nothing in the table of a service", at(Service).watching(&[ConnectionTable]), says(REQUEST, PROVEN, NETWORK)),
        ("no packets", at(Nothing).watching(&[Packets]), says(REQUEST, PROVEN, NETWORK)),
        (
            "somebody else on that port",
            at(Responder).watching(&[ConnectionTable]).saw_of(HalfOpen, stranger),
            says(REQUEST, LIKELY, NETWORK),
        ),
        (
            "addresses on that port that nobody knows",
            at(Responder).watching(&[Packets]).among_strangers(),
            says(REQUEST, LIKELY, NETWORK),
        ),
        ("nobody listens", at(Nothing).watching(&[ConnectionTable]), says(None, LIKELY, HOST)),
        ("nobody looked", at(Responder), says(None, LIKELY, None)),
    ];
    hold(table.into_iter().map(|(name, far, says)| (name, dropped(), far, says)).collect());
}

#[test]
fn connections_that_ended_half_open_are_told_by_counters_and_by_packets() {
    let given = dropped();
    let at = |by| far(&given, by);
    let says = |lost, confidence, who| (Status::Fail, Code::Dropped, lost, confidence, who);
    let table = vec![
        (
            "counted, and nobody else was there",
            at(Responder).watching(&[ConnectionTable, Counters]).saw_of(HalfOpenEnded, "10.9.1.2:0").alone(),
            says(REPLY, LIKELY, NETWORK),
        ),
        (
            "counted, and others were there",
            at(Responder).watching(&[ConnectionTable, Counters]).saw_of(HalfOpenEnded, "10.9.1.2:0"),
            says(None, LIKELY, None),
        ),
        (
            "counted, but the packets say that it was another's",
            at(Responder).watching(&[Counters, Packets]).saw_of(HalfOpenEnded, "10.9.1.2:0").alone(),
            says(REQUEST, PROVEN, NETWORK),
        ),
        (
            "a reset met the answer",
            at(Responder).watching(&[Packets]).saw(RequestIn).saw(ReplyOut).saw(ReplyRefused),
            says(REPLY, PROVEN, NETWORK),
        ),
        (
            "a reset met the answer before it left",
            at(Responder).watching(&[Packets]).saw(RequestIn).saw(ReplyRefused),
            says(REPLY, PROVEN, HOST),
        ),
        (
            "the host refused, and nobody heard of it",
            at(Responder).watching(&[Packets]).saw(RequestIn).saw(RefusalOut),
            says(REPLY, PROVEN, NETWORK),
        ),
    ];
    hold(table.into_iter().map(|(name, far, says)| (name, dropped(), far, says)).collect());
}

#[test]
fn an_answer_lost_on_the_way_back_names_the_return_half_of_the_rule() {
    let far = far(&dropped(), Responder).watching(&[ConnectionTable]).saw(HalfOpen);
    let judged = far.judge(&dropped());
    let wanted = "The connection request to 10.9.2.2:443 arrived there (the far side has it half-open), but the answer to \
                  10.9.1.2 was lost on the way back.";
    assert_eq!(judged.sentence, wanted);
    let remedy = judged.remedy.expect("a remedy").text;
    assert!(
        remedy.contains("TCP from 10.9.2.2:443 (server) to 10.9.1.2 (client), as replies of established"),
        "{remedy}"
    );
    assert!(remedy.contains("asymmetric"), "{remedy}");
}

#[test]
fn a_lost_request_names_the_rule_of_the_check() {
    let judged = far(&dropped(), Responder).watching(&[Packets]).judge(&dropped());
    assert_eq!(judged.remedy.expect("a remedy").text, "Allow TCP 443 from client to server.");
}

#[test]
fn what_the_far_side_says_of_other_ports_and_roles_is_of_no_weight() {
    let elsewhere = far(&given(bothways::model::flow::Transport::Tcp, 80, Status::Fail, Code::Dropped), Responder);
    let elsewhere = elsewhere.watching(&[ConnectionTable, Packets]).saw(HalfOpen);
    let judged = elsewhere.judge(&dropped());
    assert_eq!((judged.code, judged.lost, judged.confidence), (Code::Dropped, None, LIKELY));
    assert!(judged.sentence.ends_with("(The other side's profile has this flow on TCP 80.)"), "{}", judged.sentence);
    let mut other_role = far(&dropped(), Responder).watching(&[ConnectionTable]);
    other_role.sightings.answers[0].role = bothways::model::flow::Role::new("sql-server");
    assert_eq!(other_role.judge(&dropped()), dropped());
}

#[test]
fn a_probe_of_the_other_side_that_went_to_another_port_than_is_meant_here_decides_nothing() {
    for status in [Status::Pass, Status::Fail] {
        let code = if status == Status::Pass { Code::Ok } else { Code::Refused };
        let probed = tcp(status, code);
        let meant = given(bothways::model::flow::Transport::Tcp, 8443, status, code);
        let mut here = far(&meant, Responder).watching(&[Packets]);
        here.observed.governs = true;
        let judged = here.judge(&probed);
        let profile = Some(Who::Profile);
        assert_eq!(verdict(&judged), (Status::Unknown, Code::NotTestableFromHere, None, Confidence::Possible, profile));
        assert!(judged.sentence.contains("went to TCP 443, and here it is 8443"), "{}", judged.sentence);
    }
}

#[test]
fn an_endpoint_that_was_bound_under_another_name_is_found_by_its_check() {
    let mut far = far(&dropped(), Responder).watching(&[ConnectionTable]);
    far.sightings.answers[0].endpoint = "server-2".to_owned();
    assert_eq!(far.judge(&dropped()).lost, REQUEST);
    let second = far.sightings.answers[0].clone();
    far.sightings.answers.push(bothways::model::sighting::Answering { endpoint: "server-3".to_owned(), ..second });
    assert_eq!(far.judge(&dropped()), dropped(), "two may be meant");
}

#[test]
fn an_instance_port_that_is_blocked_keeps_its_code() {
    let port = |failure| stopped(tcp(Status::Fail, Code::SqlInstancePortBlocked), StepKind::Connect, failure);
    let timed_out = port(Failure::TimedOut);
    let judged = far(&timed_out, Responder).watching(&[ConnectionTable]).saw(HalfOpen).judge(&timed_out);
    assert_eq!(verdict(&judged), (Status::Fail, Code::SqlInstancePortBlocked, REPLY, PROVEN, NETWORK));
    let refused = port(Failure::Refused);
    let judged = far(&refused, Responder).judge(&refused);
    assert_eq!(verdict(&judged), (Status::Fail, Code::SqlInstancePortBlocked, REQUEST, LIKELY, NETWORK));
    let mut rejected = port(Failure::HostUnreachable);
    rejected.path.rejected_by = Some(prohibited(None));
    assert_eq!(far(&rejected, Responder).judge(&rejected).lost, REQUEST);
}

#[test]
fn a_refusal_is_the_hosts_own_or_a_firewalls() {
    for given in [tcp(Status::Fail, Code::Refused), udp(Status::Fail, Code::Refused)] {
        let at = |by| far(&given, by);
        let in_path = |confidence| (Status::Fail, Code::RefusedInPath, REQUEST, confidence, NETWORK);
        let refused = |lost, confidence, who| (Status::Fail, Code::Refused, lost, confidence, who);
        let replaced = || (Status::Fail, Code::RefusedInPath, REPLY, PROVEN, NETWORK);
        let table = vec![
            ("a responder saw nothing", at(Responder).watching(&[ConnectionTable]), in_path(LIKELY)),
            ("a service saw nothing", at(Service).watching(&[ConnectionTable]), in_path(LIKELY)),
            ("no packet came", at(Responder).watching(&[Packets]), in_path(PROVEN)),
            ("others came", at(Responder).watching(&[ConnectionTable]).saw_of(HalfOpen, "10.9.7.7:1"), in_path(LIKELY)),
            (
                "the host itself refused",
                at(Responder).watching(&[Packets]).saw(RequestIn).saw(RefusalOut),
                refused(REQUEST, PROVEN, HOST),
            ),
            (
                "the host itself refused, in the place of a service",
                at(Service).watching(&[Packets]).saw(RequestIn).saw(RefusalOut),
                refused(REQUEST, PROVEN, HOST),
            ),
            (
                "the port could not be opened",
                at(Nothing),
                (Status::Unknown, Code::PortInUse, None, Confidence::Possible, HOST),
            ),
            ("the port could not be opened, and no packet came", at(Nothing).watching(&[Packets]), in_path(PROVEN)),
            ("it was taken", at(Responder).watching(&[ConnectionTable]).saw(HalfOpen), replaced()),
            ("it was answered", at(Service).watching(&[Packets]).saw(RequestIn).saw(ReplyOut), replaced()),
        ];
        hold(table.into_iter().map(|(name, far, says)| (name, given.clone(), far, says)).collect());
    }
}

#[test]
fn a_reject_quotes_the_request() {
    for code in [Code::Rejected, Code::Unreachable, Code::RefusedInPath, Code::LocalBlock] {
        let mut given = tcp(Status::Fail, code);
        given.path.rejected_by = Some(prohibited(None));
        let says = (Status::Fail, code, REQUEST, LIKELY, None);
        hold(vec![
            ("rejected", given.clone(), far(&given, Responder).watching(&[ConnectionTable]), says),
            ("rejected there", given.clone(), far(&given, Responder).watching(&[Packets]).saw(RequestIn), says),
        ]);
    }
    let no_route = tcp(Status::Fail, Code::Unreachable);
    assert_eq!(far(&no_route, Responder).judge(&no_route), no_route, "without a message it is this side's own routes");
}

fn prohibited(from: Option<&str>) -> Icmp {
    Icmp { kind: 3, code: 13, from: from.map(|from| from.parse().expect("an address")), v6: false }
}

#[test]
fn whoever_rejected_an_answer_on_its_way_back_is_named() {
    let browser = || with_source(browser());
    let tables = [
        (with_source(dropped()), Code::Dropped, "10.9.2.1", NETWORK),
        (with_source(dropped()), Code::Dropped, "10.9.1.2", Some(Who::ThisHost)),
        (browser(), Code::SqlBrowserSilent, "10.9.2.1", NETWORK),
        (browser(), Code::SqlBrowserSilent, "10.9.1.2", Some(Who::ThisHost)),
    ];
    for (given, code, by, who) in tables {
        let packets = far(&given, Responder).watching(&[Packets]).saw(RequestIn).saw(ReplyOut);
        let judged = packets.saw_rejected(prohibited(Some(by))).judge(&given);
        assert_eq!(verdict(&judged), (Status::Fail, code, REPLY, PROVEN, who), "{}", judged.sentence);
        assert_eq!(judged.path.rejected_by, Some(prohibited(Some(by))));
        assert!(judged.sentence.contains(by), "{}", judged.sentence);
    }
}

#[test]
fn what_the_probers_own_firewall_keeps_is_not_lost_on_the_way() {
    let asked = |outcome| with(with_source(outcome), &[(Fact::Address, "10.9.2.2:443".into())]);
    let this_host = |code, lost| (Status::Fail, code, lost, PROVEN, Some(Who::ThisHost));
    let refused = stopped(tcp(Status::Fail, Code::Refused), StepKind::Connect, Failure::Refused);
    let table = [
        ("did not leave", asked(dropped()), near(&[]), this_host(Code::LocalBlock, REQUEST)),
        ("left", asked(dropped()), near(&[RequestOut]), (Status::Fail, Code::Dropped, REQUEST, PROVEN, NETWORK)),
        ("came back", asked(dropped()), near(&[RequestOut, ReplyIn]), this_host(Code::Dropped, REPLY)),
        ("refused before it left", asked(refused.clone()), near(&[]), this_host(Code::LocalBlock, REQUEST)),
        (
            "refused behind this machine",
            asked(refused),
            near(&[RequestOut]),
            (Status::Fail, Code::RefusedInPath, REQUEST, PROVEN, NETWORK),
        ),
    ];
    for (name, given, near, says) in &table {
        let mut far = far(given, Responder).watching(&[Packets]);
        far.observed.near = Some(near);
        let judged = far.judge(given);
        assert_eq!(verdict(&judged), *says, "{name}: {}", judged.sentence);
    }
    let unwatched = Sightings { probed: Vec::new(), ..near(&[]) };
    let given = asked(dropped());
    let mut far = far(&given, Responder).watching(&[Packets]);
    far.observed.near = Some(&unwatched);
    assert_eq!(far.judge(&given).remedy.expect("a remedy").who, Who::Network, "it was not watched whether it left");
}

#[test]
fn an_answer_that_comes_when_the_time_is_up_is_held_against_nobody() {
    let given = with(with_source(dropped()), &[(Fact::Address, "10.9.2.2:443".into())]);
    let given = stopped(given, StepKind::Connect, Failure::TimedOut);
    let mut near = near(&[RequestOut, ReplyIn]);
    near.sighted[1].at_ms += 1;
    let mut far = far(&given, Responder).watching(&[Packets]).saw(RequestIn).saw(ReplyOut);
    far.observed.near = Some(&near);
    let late = (Status::Unknown, Code::TimedOut, None, Confidence::Possible, None);
    assert_eq!(verdict(&far.judge(&given)), late);
}

#[test]
fn where_receipts_found_no_room_a_missing_one_proves_nothing() {
    let mut crowded = far(&tftp(), Responder);
    crowded.sightings.missed = 1;
    assert_eq!(verdict(&crowded.judge(&tftp())), undecided(Code::NoAnswer, HOST));
    let mut watched = far(&tftp(), Responder).watching(&[Packets]);
    watched.sightings.missed = 1;
    assert_eq!(watched.judge(&tftp()).lost, REQUEST, "packets need no room");
    let refused = stopped(tcp(Status::Fail, Code::Refused), StepKind::Connect, Failure::Refused);
    let mut crowded = far(&refused, Responder).watching(&[ConnectionTable]);
    crowded.sightings.missed = 1;
    assert_eq!(crowded.judge(&refused), refused);
}

#[test]
fn an_answer_that_the_system_did_not_let_out_is_the_far_hosts_matter() {
    let unsent = |failure| Receipt { unsent: Some(failure), ..ours("tftp", 69, 40, 0) };
    for (failure, words) in [(Failure::Denied, "outgoing firewall"), (Failure::NetworkUnreachable, "no route back")] {
        let judged = far(&tftp(), Responder).received(unsent(failure)).judge(&tftp());
        assert_eq!(verdict(&judged), (Status::Fail, Code::TftpTransferPortBlocked, REPLY, PROVEN, HOST));
        assert!(judged.sentence.contains(words), "{}", judged.sentence);
    }
}

/// A conversation that spoke from [`PROBER`].
fn with_source(outcome: Outcome) -> Outcome {
    with(outcome, &[(Fact::LocalAddress, PROBER.into())])
}

fn tftp() -> Outcome {
    with_token(udp(Status::Unknown, Code::NoAnswer))
}

fn browser() -> Outcome {
    with(udp(Status::Unknown, Code::SqlBrowserSilent), &[(Fact::LocalAddress, "0.0.0.0:50000".into())])
}

fn undecided(code: Code, who: Option<Who>) -> super::scene::Verdict {
    (Status::Unknown, code, None, Confidence::Possible, who)
}

#[test]
fn a_datagram_that_arrived_had_its_answer_lost() {
    let at = |by| far(&tftp(), by);
    let fails = |code, who| (Status::Fail, code, REPLY, PROVEN, who);
    let (blocked, silent) = (Code::TftpTransferPortBlocked, Code::SqlBrowserSilent);
    let asked = |sent| bare("sql-browser", 69, 9, sent);
    let packets = || at(Responder).watching(&[Packets]).saw(RequestIn);
    hold(vec![
        ("a receipt of TFTP", tftp(), at(Responder).received(ours("tftp", 69, 40, 30)), fails(blocked, NETWORK)),
        ("a receipt of the browser", browser(), at(Responder).received(asked(60)), fails(silent, NETWORK)),
        ("a receipt, nothing to answer", browser(), at(Responder).received(asked(0)), undecided(silent, None)),
        (
            "packets came and went",
            tftp(),
            at(Service).watching(&[Packets]).saw(RequestIn).saw(ReplyOut),
            fails(blocked, NETWORK),
        ),
        ("kept back by the host", tftp(), packets().received(ours("tftp", 69, 40, 30)), fails(blocked, HOST)),
    ]);
}

#[test]
fn a_datagram_that_nobody_received_was_lost_on_the_way_there() {
    let at = |by| far(&tftp(), by);
    let fails = |who| (Status::Fail, Code::Dropped, REQUEST, PROVEN, who);
    let packets = |by| at(by).watching(&[Packets]);
    hold(vec![
        ("no receipt", tftp(), at(Responder), fails(NETWORK)),
        ("no receipt of the browser", browser(), at(Responder), fails(NETWORK)),
        ("no packets", tftp(), packets(Responder), fails(NETWORK)),
        ("no packets to a service", tftp(), packets(Service), fails(NETWORK)),
        ("no packets, nobody there", tftp(), packets(Nothing), fails(NETWORK)),
        ("a packet, but no receipt", tftp(), packets(Responder).saw(RequestIn), fails(HOST)),
        ("a packet to a service", tftp(), packets(Service).saw(RequestIn), undecided(Code::NoAnswer, HOST)),
        ("a service, unwatched", tftp(), at(Service).watching(&[ConnectionTable]), undecided(Code::NoAnswer, HOST)),
        ("nobody there", tftp(), at(Nothing), undecided(Code::NoAnswer, HOST)),
    ]);
}

#[test]
fn an_answer_from_the_transfer_port_is_an_answer() {
    let given = with_token(udp(Status::Unknown, Code::NoAnswer));
    let mut far = far(&given, Service).watching(&[Packets]).saw(RequestIn).saw(ReplyOut);
    far.sightings.sighted[1].local = "10.9.2.2:43550".parse().expect("an address");
    assert_eq!(far.judge(&given).lost, REPLY);
}
