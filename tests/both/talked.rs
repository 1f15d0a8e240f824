//! What something accepted: silent, closed and reset connections, and passes that the far side knows nothing of.

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status, Who};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::AnsweredBy::{Responder, Service};
use bothways::model::sighting::Means::{ConnectionTable, Packets};
use bothways::model::sighting::SightingKind::RequestIn;

use super::scene::{PROBER, bare, far, hold, ours, tcp, udp, verdict, with, with_token};

const PROVEN: Confidence = Confidence::Proven;
const LIKELY: Confidence = Confidence::Likely;
const REQUEST: Option<Lost> = Some(Lost::Request);
const REPLY: Option<Lost> = Some(Lost::Reply);
const NETWORK: Option<Who> = Some(Who::Network);

/// A conversation that sent 200 bytes and got none.
fn unanswered(code: Code) -> Outcome {
    with(with_token(tcp(Status::Fail, code)), &[(Fact::SentBytes, 200.into()), (Fact::ReceivedBytes, 0.into())])
}

#[test]
fn a_greeting_is_lost_where_it_is_not_acknowledged_and_may_be_late_else() {
    let silent = || with(tcp(Status::Pass, Code::Ok), &[(Fact::ReceivedBytes, 0.into())]);
    let given = Outcome { confidence: LIKELY, ..with(silent(), &[(Fact::LocalAddress, PROBER.into())]) };
    let at = |unacknowledged| {
        far(&given, Responder).received(Receipt { unacknowledged, ..bare("tcp", 443, 0, 20) }).saw(RequestIn)
    };
    let passes = (Status::Pass, Code::Ok, None, LIKELY, None);
    hold(vec![
        ("not acknowledged", given.clone(), at(Some(20)), (Status::Fail, Code::Silent, REPLY, PROVEN, NETWORK)),
        ("acknowledged", given.clone(), at(Some(0)), passes),
        ("ended before that", given.clone(), at(None), passes),
    ]);
}

#[test]
fn an_accepted_connection_without_an_answer_is_split_by_receipts() {
    let codes = [
        Code::Silent,
        Code::ResetOnPayload,
        Code::ClosedAfterConnect,
        Code::HttpStalled,
        Code::WrongService,
        Code::SqlNotTds,
    ];
    for code in codes {
        let at = |by| far(&unanswered(code), by).watching(&[ConnectionTable]);
        let says = |lost, confidence| (Status::Fail, code, lost, confidence, NETWORK);
        hold(vec![
            (
                "our token, answered",
                unanswered(code),
                at(Responder).received(ours("http", 443, 200, 90)),
                says(REPLY, PROVEN),
            ),
            (
                "our token, unanswered",
                unanswered(code),
                at(Responder).received(ours("http", 443, 200, 0)),
                says(REPLY, LIKELY),
            ),
            (
                "a connection without bytes",
                unanswered(code),
                at(Responder).received(bare("http", 443, 0, 0)),
                says(REQUEST, PROVEN),
            ),
            (
                "a connection with other bytes",
                unanswered(code),
                at(Responder).received(bare("http", 443, 80, 0)),
                says(REQUEST, LIKELY),
            ),
            (
                "packets, but no receipt",
                unanswered(code),
                at(Responder).watching(&[Packets]).saw(RequestIn),
                says(REQUEST, PROVEN),
            ),
            ("a service, unwatched", unanswered(code), at(Service), (Status::Fail, code, None, LIKELY, None)),
        ]);
    }
}

#[test]
fn a_tls_hello_is_followed_by_its_bytes() {
    for code in [Code::TlsDropped, Code::TlsReset] {
        let at = || far(&unanswered(code), Responder).watching(&[ConnectionTable]);
        let says = |lost| (Status::Fail, code, lost, PROVEN, NETWORK);
        hold(vec![
            (
                "the hello came and was answered",
                unanswered(code),
                at().received(bare("http", 443, 200, 1500)),
                says(REPLY),
            ),
            ("the hello did not come", unanswered(code), at().received(bare("http", 443, 0, 0)), says(REQUEST)),
        ]);
    }
}

#[test]
fn frames_are_followed_by_the_receipt_of_the_first_one() {
    let given = unanswered(Code::WsFramesLost);
    let at = || far(&given, Responder).received(ours("websocket", 443, 200, 90));
    let first = Receipt { asked: Some(Receipt::FIRST_FRAME.to_owned()), ..ours("websocket", 443, 40, 0) };
    let says = |lost| (Status::Fail, Code::WsFramesLost, lost, PROVEN, None);
    hold(vec![
        ("only the upgrade came", given.clone(), at(), says(REQUEST)),
        ("the first frame came too", given.clone(), at().received(first), says(REPLY)),
    ]);
}

#[test]
fn a_body_is_followed_by_its_bytes() {
    let given = with(unanswered(Code::HttpSizeLimited), &[(Fact::RequestBodyWanted, 1_000_000.into())]);
    let at = || far(&given, Responder);
    let says = |lost| (Status::Fail, Code::HttpSizeLimited, lost, PROVEN, NETWORK);
    hold(vec![
        ("a part came", given.clone(), at().received(ours("http", 443, 65_000, 0)), says(REQUEST)),
        ("all of it came", given.clone(), at().received(ours("http", 443, 1_000_200, 90)), says(REPLY)),
    ]);
}

#[test]
fn what_the_far_side_never_saw_was_accepted_on_the_way() {
    let in_path = |confidence| (Status::Fail, Code::AcceptedInPath, REQUEST, confidence, NETWORK);
    let at = |by, outcome: &Outcome| far(outcome, by).watching(&[ConnectionTable]);
    let (silent, closed) = (unanswered(Code::Silent), unanswered(Code::ClosedAfterConnect));
    let warned = with(tcp(Status::Warn, Code::Silent), &[(Fact::LocalAddress, PROBER.into())]);
    let everything = tcp(Status::Warn, Code::AcceptedInPath);
    let canary = with(tcp(Status::Pass, Code::Ok), &[(Fact::Canary, "refused".into())]);
    let page = Outcome {
        confidence: PROVEN,
        ..with_token(with(tcp(Status::Pass, Code::Ok), &[(Fact::Echoed, false.into())]))
    };
    let service = |outcome: &Outcome| far(outcome, Service).watching(&[Packets]);
    hold(vec![
        ("silent", silent.clone(), at(Responder, &silent), in_path(PROVEN)),
        ("closed, as a responder does with strangers", closed.clone(), at(Responder, &closed), in_path(LIKELY)),
        ("closed, and no packet came", closed.clone(), at(Responder, &closed).watching(&[Packets]), in_path(PROVEN)),
        ("open and silent", warned.clone(), at(Responder, &warned), in_path(PROVEN)),
        ("everything is accepted", everything.clone(), at(Responder, &everything), in_path(PROVEN)),
        ("open, told by the canary", canary.clone(), at(Responder, &canary), in_path(PROVEN)),
        ("open, told by the canary, to a service", canary.clone(), service(&canary), in_path(PROVEN)),
        ("a page that is not the responder's", page.clone(), at(Responder, &page), in_path(PROVEN)),
        ("a page of the service", page.clone(), service(&page), (Status::Pass, Code::Ok, None, PROVEN, None)),
    ]);
}

#[test]
fn a_pass_with_its_proof_stays_a_pass() {
    let echoed = Outcome { confidence: PROVEN, ..with(tcp(Status::Pass, Code::Ok), &[(Fact::Echoed, true.into())]) };
    let received = with_token(tcp(Status::Pass, Code::Ok));
    let datagram = udp(Status::Pass, Code::Ok);
    let says = |confidence| (Status::Pass, Code::Ok, None, confidence, None);
    hold(vec![
        ("echoed", echoed.clone(), far(&echoed, Responder), says(PROVEN)),
        ("received", received.clone(), far(&received, Responder).received(ours("http", 443, 9, 9)), says(LIKELY)),
        ("a datagram", datagram.clone(), far(&datagram, Responder), says(LIKELY)),
    ]);
}

#[test]
fn behind_a_proxy_only_tokens_count() {
    let through = |outcome| with(outcome, &[(Fact::Proxy, "proxy:8080".into())]);
    let given = through(unanswered(Code::Silent));
    let pass = through(with_token(tcp(Status::Pass, Code::Ok)));
    let at = |outcome: &Outcome| far(outcome, Responder).watching(&[ConnectionTable, Packets]);
    let says = |lost, confidence| (Status::Fail, Code::Silent, lost, confidence, NETWORK);
    hold(vec![
        ("it came out", given.clone(), at(&given).received(ours("http", 443, 200, 90)), says(REPLY, PROVEN)),
        ("it did not come out", given.clone(), at(&given), says(REQUEST, LIKELY)),
        ("it works", pass.clone(), at(&pass), (Status::Pass, Code::Ok, None, LIKELY, None)),
    ]);
    let judged = at(&given).judge(&given);
    assert!(judged.sentence.contains("the proxy proxy:8080 took it"), "{}", judged.sentence);
}

#[test]
fn some_addresses_of_several_working_is_not_judged_again() {
    use bothways::model::evidence::{Failure, StepKind};
    let one = super::scene::stopped(tcp(Status::Warn, Code::Silent), StepKind::Connect, Failure::TimedOut);
    let mut given = one.clone();
    given
        .steps
        .push(bothways::model::evidence::Step { address: Some("10.9.2.3:443".to_owned()), ..one.steps[0].clone() });
    assert_eq!(far(&given, Responder).watching(&[ConnectionTable]).judge(&given), given);
}

#[test]
fn what_was_not_tested_and_the_tools_own_trouble_stay_as_they_are() {
    for given in [tcp(Status::Skip, Code::NotTestableFromHere), tcp(Status::Error, Code::ToolError)] {
        assert_eq!(far(&given, Responder).watching(&[ConnectionTable, Packets]).judge(&given), given);
    }
}

#[test]
fn a_receipt_after_address_translation_is_only_likely_this_probes() {
    let given = with(udp(Status::Unknown, Code::SqlBrowserSilent), &[(Fact::LocalAddress, "192.168.0.9:50000".into())]);
    let judged = far(&given, Responder).received(bare("sql-browser", 69, 9, 60)).judge(&given);
    assert_eq!(verdict(&judged), (Status::Fail, Code::SqlBrowserSilent, REPLY, LIKELY, NETWORK));
}
