//! What was changed on the way: source addresses, certificates, headers, upgrades and bodies.

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Lost, Status, Who};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::AnsweredBy::{Responder, Service};
use serde_json::json;

use super::scene::{CERTIFICATE, far, hold, ours, tcp, verdict, with, with_token};

const PROVEN: Confidence = Confidence::Proven;
const NETWORK: Option<Who> = Some(Who::Network);

fn pass() -> Outcome {
    let pass = with(with_token(tcp(Status::Pass, Code::Ok)), &[(Fact::Echoed, true.into())]);
    Outcome { confidence: PROVEN, ..pass }
}

/// A receipt of a request with the headers of the probe's own, and others.
fn request(other: &[(&str, &str)]) -> Receipt {
    let own =
        [("host", "10.9.2.2"), ("x-bothways-token", "0123456789abcdef"), ("user-agent", "bothways"), ("accept", "*/*")];
    let headers = own.iter().chain(other).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Receipt { headers, ..ours("http", 443, 500, 90) }
}

#[test]
fn address_translation_is_told_and_still_a_pass() {
    let receipt = Receipt { source: "198.51.100.7:61000".to_owned(), ..request(&[]) };
    let judged = far(&pass(), Responder).received(receipt).judge(&pass());
    assert_eq!(verdict(&judged), verdict(&pass()));
    assert_eq!(judged.facts["seen-as"], json!("198.51.100.7:61000"));
    assert!(judged.sentence.ends_with("saw it come from 198.51.100.7:61000: addresses are translated on the way."));
    let plain = far(&pass(), Responder).received(request(&[])).judge(&pass());
    assert!(!plain.facts.contains_key("seen-as"));
    assert_eq!(plain.sentence, pass().sentence);
    assert_eq!(plain.receipts.len(), 1);
}

#[test]
fn another_certificate_is_an_interception_whoever_trusts_it() {
    let arrived = |outcome: Outcome, print: &str| with(outcome, &[(Fact::TlsFingerprint, print.into())]);
    let other = "00:11:22:33:44:55:66:77:88:99";
    let presented = || Receipt { presented: Some(CERTIFICATE.to_owned()), ..request(&[]) };
    let untrusted = tcp(Status::Fail, Code::TlsUntrusted);
    let intercepted = (Status::Fail, Code::TlsIntercepted, None, PROVEN, NETWORK);
    let at = |by| far(&pass(), by);
    hold(vec![
        ("trusted", arrived(pass(), other), at(Responder), intercepted),
        ("trusted, with a receipt", arrived(pass(), other), at(Service).received(presented()), intercepted),
        ("not trusted", arrived(untrusted.clone(), other), at(Responder), intercepted),
        ("the right one", arrived(pass(), CERTIFICATE), at(Responder), verdict(&pass())),
        ("the right one, not trusted", arrived(untrusted.clone(), CERTIFICATE), at(Responder), verdict(&untrusted)),
        ("a service has its own", arrived(pass(), other), at(Service), verdict(&pass())),
    ]);
}

#[test]
fn headers_that_a_proxy_added_are_told() {
    let receipt = request(&[("via", "1.1 gate"), ("x-forwarded-for", "10.9.1.2"), ("content-length", "0")]);
    let judged = far(&pass(), Responder).received(receipt.clone()).judge(&pass());
    assert_eq!(verdict(&judged), verdict(&pass()));
    assert_eq!(judged.facts["headers-added"], json!(["via: 1.1 gate", "x-forwarded-for: 10.9.1.2"]));
    assert!(judged.sentence.contains("A proxy on the way that nobody configured"), "{}", judged.sentence);
    let through = with(pass(), &[(Fact::Proxy, "proxy:8080".into())]);
    let judged = far(&through, Responder).received(receipt).judge(&through);
    assert_eq!(judged.sentence, through.sentence, "a proxy of the profile's is no news");
    assert!(judged.facts.contains_key("headers-added"));
}

#[test]
fn headers_that_were_removed_are_a_warning() {
    let mut receipt = request(&[]);
    receipt.headers.retain(|(name, _)| name != "user-agent");
    let far = far(&pass(), Responder).received(receipt);
    assert_eq!(far.judge(&pass()).facts["headers-removed"], json!(["user-agent"]));
    hold(vec![("removed", pass(), far, (Status::Warn, Code::HttpAltered, None, PROVEN, NETWORK))]);
}

#[test]
fn bodies_are_compared_by_their_lengths() {
    let sent = with(pass(), &[(Fact::RequestBodyWanted, 9000.into()), (Fact::RequestBodyBytes, 9000.into())]);
    let short = (Status::Fail, Code::HttpAltered, Some(Lost::Request), PROVEN, NETWORK);
    let longer = with(pass(), &[(Fact::BodyBytes, 400.into())]);
    let whole = Receipt { received_bytes: 9400, ..request(&[]) };
    assert_eq!(far(&sent, Responder).received(whole.clone()).judge(&sent).facts["received-there"], json!(9400));
    hold(vec![
        ("cut on the way there", sent.clone(), far(&sent, Responder).received(request(&[])), short),
        ("whole", sent.clone(), far(&sent, Responder).received(whole), verdict(&sent)),
        (
            "something was added on the way back",
            longer.clone(),
            far(&longer, Responder).received(request(&[])),
            (Status::Warn, Code::HttpAltered, None, PROVEN, NETWORK),
        ),
    ]);
}

#[test]
fn the_receipt_of_an_upgrade_shows_where_it_was_stripped() {
    let upgrade = |asked: &str, headers: &[(&str, &str)]| Receipt {
        protocol: "websocket".to_owned(),
        asked: Some(asked.to_owned()),
        ..request(headers)
    };
    let whole = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
    for code in [Code::WsUpgradeStripped, Code::WsRefused] {
        let given = with_token(tcp(Status::Fail, code));
        let at = || far(&given, Responder);
        let stripped = |lost| (Status::Fail, Code::WsUpgradeStripped, Some(lost), PROVEN, NETWORK);
        hold(vec![
            ("without its headers", given.clone(), at().received(upgrade("GET / 400", &[])), stripped(Lost::Request)),
            ("as a page", given.clone(), at().received(request(&[])), stripped(Lost::Request)),
            ("on the way back", given.clone(), at().received(upgrade("GET / 101", &whole)), stripped(Lost::Reply)),
            ("refused by the responder", given.clone(), at().received(upgrade("GET / 503", &whole)), verdict(&given)),
            (
                "answered on the way",
                given.clone(),
                at(),
                (Status::Fail, Code::AcceptedInPath, Some(Lost::Request), PROVEN, NETWORK),
            ),
        ]);
    }
}
