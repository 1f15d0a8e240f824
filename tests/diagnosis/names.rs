//! Conversations that show the rows of the table of names.

use std::net::IpAddr;
use std::time::Instant;

use bothways::diagnose::judge;
use bothways::model::ask::Ask;
use bothways::model::code::Code;
use bothways::model::evidence::{Evidence, Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Judgement};
use bothways::model::probe::{Http, Probe};
use bothways::net::trace::Trace;
use serde_json::Value;

use super::seen::{HOST, Seen};

const OTHER: &str = "10.9.2.9";

fn asked() -> Seen {
    let seen = Seen::of(Probe::Http(Http::default()), 80);
    let ask = Ask { host: "mdm.lab.test".to_owned(), ..seen.ask };
    Seen { ask, ..seen }
}

fn fails(failure: Failure) -> Seen {
    asked().fails(StepKind::Resolve, failure)
}

/// What is known of the name beside a conversation.
fn known(facts: &[(Fact, Value)]) -> Evidence {
    let trace = Trace::new(Instant::now());
    for (fact, value) in facts {
        trace.fact(*fact, value.clone());
    }
    trace.finish(Failure::TimedOut)
}

/// The flow is judged so by itself, and this is known of its name.
fn beside(judgement: Judgement, facts: &[(Fact, Value)]) -> Judgement {
    let addresses: [IpAddr; 1] = [HOST.parse().expect("an address")];
    judge::with_names(judgement, &asked().ask, &known(facts), None, &addresses)
}

const ANY_NAME: &str = "the name servers give the address to a name that nobody has as well, and a page in plain HTTP from there \
                        proves nothing";

fn differing() -> Vec<(Fact, Value)> {
    vec![(Fact::SystemAddresses, vec![HOST].into()), (Fact::DnsAddresses, vec![OTHER].into())]
}

fn failures() -> Vec<(&'static str, Judgement)> {
    let sinkhole = fails(Failure::NameNoAddress).fact(Fact::SystemAddresses, vec!["0.0.0.0"]);
    vec![
        ("the system and its name servers know no such name", fails(Failure::NameNotFound).judged()),
        (
            "the system does not know it, a name server does",
            fails(Failure::NameNotFound).fact(Fact::DnsAddresses, vec![OTHER]).judged(),
        ),
        ("the name is there, without an address", fails(Failure::NameNoAddress).judged()),
        ("the address is `0.0.0.0` or `::`", sinkhole.judged()),
        ("no name server answers", fails(Failure::NameServerSilent).judged()),
        ("no name server answers", fails(Failure::TimedOut).judged()),
        (
            "they answer with a failure or refuse, or some do and the others not at all",
            fails(Failure::NameServerFailed).judged(),
        ),
    ]
}

fn disorder() -> Vec<(&'static str, Judgement)> {
    let works = || Judgement::pass("It answered.");
    let fails = || Judgement::fail(Code::Refused, Confidence::Likely, "It refused.");
    let slow = "it works, and the system's resolver took more than 2.5 seconds, or 1.5 longer than a name server that was asked directly";
    let differs = "it works, and system and name servers (or one of several) give different addresses, or a suffix made another \
                   name of it";
    let opens = [differing(), vec![(Fact::OtherOpens, vec![OTHER].into())]].concat();
    vec![
        (slow, beside(works(), &[(Fact::SystemTook, "4.0".into())])),
        (slow, beside(works(), &[(Fact::SystemFailure, "no answer in time".into())])),
        (ANY_NAME, beside(works(), &[(Fact::GivenToAnyName, vec![HOST].into())])),
        (differs, beside(works(), &differing())),
        (differs, beside(works(), &[(Fact::CompletedName, "mdm.lab.test.corp.test".into())])),
        (
            "the system's address fails, and the one of the name servers accepts connections (or the reverse)",
            beside(fails(), &opens),
        ),
    ]
}

#[test]
fn the_table_of_names_is_what_the_judges_do() {
    let judged: Vec<(&str, Judgement)> = failures().into_iter().chain(disorder()).collect();
    super::assert_told("Names", &judged, &["some of several addresses fail"]);
}

#[test]
fn a_failure_of_another_cause_stays_with_a_remark() {
    let fails = Judgement::fail(Code::Refused, Confidence::Likely, "It refused.");
    let told = beside(fails, &differing());
    assert_eq!(told.code, Code::Refused);
    assert!(told.sentence.contains(OTHER), "{}", told.sentence);
}

#[test]
fn what_a_responder_answers_is_its_own_whatever_else_its_address_is_given_to() {
    let works = Judgement::pass("The responder answered with this probe's own token.");
    let names = known(&[(Fact::GivenToAnyName, vec![HOST].into())]);
    let judged = judge::with_names(works, &asked().ask, &names, Some(&known(&[(Fact::Echoed, true.into())])), &[]);
    assert_eq!(judged.code, Code::Ok);
}
