//! The outcomes of two sides as one list.

use bothways::diagnose::both::union;
use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::model::run::Outcome;

use crate::reports::sample;

fn tested(check: &str, from: &str, endpoint: &str) -> Outcome {
    let outcome = sample::outcome(check, from, "to", "10.9.2.2:443", Status::Pass, Code::Ok, "Works.");
    Outcome { endpoint: endpoint.to_owned(), ..outcome }
}

fn left(check: &str, from: &str, endpoint: &str) -> Outcome {
    let (status, code) = (Status::Skip, Code::NotTestableFromHere);
    Outcome { status, code, tested_from: None, ..tested(check, from, endpoint) }
}

fn named(list: &[Outcome]) -> Vec<(&str, &str, &str)> {
    list.iter().map(|one| (one.check.as_str(), one.endpoint.as_str(), one.status.word())).collect()
}

#[test]
fn what_was_tested_goes_before_what_was_left_to_the_other_side_in_the_order_of_the_own_list() {
    let own = vec![left("b", "server", "client"), tested("a", "client", "server"), left("c", "server", "sql")];
    let theirs = vec![left("a", "client", "server"), tested("d", "server", "x"), tested("b", "server", "client")];
    let wanted = [("b", "client", "pass"), ("a", "server", "pass"), ("c", "sql", "skip"), ("d", "x", "pass")];
    assert_eq!(named(&union(own, theirs)), wanted);
}

#[test]
fn where_both_sides_tested_both_are_kept() {
    let (one, other) = (tested("a", "client", "server"), tested("a", "client-2", "server"));
    let joined = union(vec![one.clone(), tested("b", "client", "server")], vec![other.clone()]);
    assert_eq!(joined, [one.clone(), other, tested("b", "client", "server")]);
    assert_eq!(union(vec![one.clone()], vec![one.clone()]), [one], "the same twice is once");
}

#[test]
fn a_bound_endpoint_is_found_by_check_and_role() {
    let own = vec![left("a", "server", "client")];
    let joined = union(own.clone(), vec![tested("a", "server", "client/pc-17")]);
    assert_eq!(named(&joined), [("a", "client", "pass")]);
    let known = vec![left("a", "server", "client"), tested("a", "server", "client/pc-17")];
    assert_eq!(union(own, known.clone()), known, "it has that endpoint of its own, so another is another");
}

#[test]
fn a_prerequisite_that_failed_says_more_than_not_testable_from_here() {
    let failed = Outcome {
        code: Code::PrerequisiteFailed,
        tested_from: Some(sample::outcome("a", "s", "t", "", Status::Skip, Code::Ok, "").from),
        ..left("a", "server", "sql")
    };
    assert_eq!(union(vec![left("a", "server", "sql")], vec![failed.clone()]), vec![failed.clone()]);
    assert_eq!(union(vec![failed.clone()], vec![left("a", "server", "sql")]), [failed]);
}
