//! Conversations that show the rows of the table of HTTP.

use bothways::model::code::Code;
use bothways::model::evidence::{Failure, Millis, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Judgement, Status};
use bothways::model::probe::{Http, Method, Probe};
use bothways::model::run::{Outcome, Receipt};
use bothways::model::sighting::AnsweredBy::Responder;

use super::seen::{FIRST, Seen};
use crate::both::scene::{far, ours, tcp, with, with_token};

type Shown = Vec<(&'static str, Judgement)>;

const BIG: u64 = 1_000_000;

fn asked_for(http: Http) -> Seen {
    Seen::of(Probe::Http(Http { https: Some(false), ..http }), 80).accepted().went_well(StepKind::Request)
}

fn asked() -> Seen {
    asked_for(Http::default())
}

fn answered(status: u16) -> Seen {
    asked().status(status)
}

impl Seen {
    /// An answer that the check accepts, unless it is a gateway's.
    fn status(self, status: u16) -> Self {
        let accepted = !matches!(status, 407 | 502..=504);
        let answered = self.went_well(StepKind::Reply).fact(Fact::ReceivedBytes, 200);
        answered.fact(Fact::Status, status).fact(Fact::StatusExpected, accepted)
    }

    /// Whoever accepts is nearer than the host.
    fn nearer(self) -> Self {
        self.others_pass().hops(&[(1, FIRST, 64)]).answered(Some(2), "accepted", Some(64))
    }

    fn at_the_host(self) -> Self {
        self.others_pass().answered(None, "accepted", Some(126))
    }

    fn uploaded(self, bytes: u64) -> Self {
        self.fact(Fact::RequestBodyWanted, BIG).fact(Fact::RequestBodyBytes, bytes)
    }
}

fn upload() -> Seen {
    let http = Http { send_bytes: Some(BIG), method: Some(Method::Post), ..Http::default() };
    Seen::of(Probe::Http(Http { https: Some(false), ..http }), 80).accepted()
}

fn somebodys_page() -> Vec<(&'static str, Seen)> {
    let portal =
        "that, in plain HTTP from nearer than the host, and the same page comes from an address that is nobody's";
    let unproven = "that, in plain HTTP from nearer than the host, nothing answers at such an address, and the same page comes \
                    for whatever is asked, without `Via`, and from as near as the one who accepts";
    let elsewhere = "a redirect to a foreign host, or a page that a portal or an unknown proxy signs";
    let away = || answered(302).fact(Fact::Location, "http://login.example/");
    let alone = answered(200).fact(Fact::NowhereAnswer, "none").fact(Fact::OtherPageAnswer, "same").nearer();
    vec![
        (portal, answered(200).fact(Fact::NowhereAnswer, "same").nearer()),
        (unproven, alone),
        (elsewhere, away()),
        (elsewhere, away().at_the_host()),
        (elsewhere, answered(511)),
        (elsewhere, answered(407)),
        (elsewhere, answered(403).fact(Fact::ProxyError, "x-squid-error: ERR_ACCESS_DENIED 0")),
    ]
}

fn sizes() -> Vec<(&'static str, Seen)> {
    let cut = "a large body is cut by a reset or a close";
    let stops = "a body stops without a word, either way";
    let moving = |seen: Seen| Seen { took: Millis(4_000_000), ..seen.fact(Fact::QuietMs, 100) };
    let page = || asked_for(Http { receive_bytes: Some(BIG), ..Http::default() });
    let half =
        |seen: Seen| seen.fact(Fact::Status, 200).fact(Fact::StatusExpected, true).fact(Fact::BodyBytes, BIG / 2);
    vec![
        ("413", upload().uploaded(BIG).status(413)),
        (cut, upload().uploaded(BIG / 2).fails(StepKind::Request, Failure::Reset)),
        (cut, upload().uploaded(BIG / 2).fails(StepKind::Request, Failure::Closed)),
        (stops, upload().uploaded(BIG / 2).fails(StepKind::Request, Failure::TimedOut)),
        (stops, half(page().fails(StepKind::Reply, Failure::TimedOut))),
        (
            "a body still moved when the time was up",
            moving(upload().uploaded(BIG / 2).fails(StepKind::Request, Failure::TimedOut)),
        ),
        ("a body still moved when the time was up", moving(half(page().fails(StepKind::Reply, Failure::TimedOut)))),
    ]
}

fn statuses() -> Vec<(&'static str, Seen)> {
    let unusual = "502, 503 or 504 without a proxy; 400, or 403, 405, 501 to a body";
    let accepts =
        Http { status: serde_json::from_value(serde_json::json!([200])).expect("a status"), ..Http::default() };
    let other = asked_for(accepts).went_well(StepKind::Reply).fact(Fact::Status, 404).fact(Fact::StatusExpected, false);
    let text = Http { contains: Some("Miradore".to_owned()), ..Http::default() };
    vec![
        ("another status than the check accepts", other),
        ("502, 503 or 504 without a proxy, from nearer than the host", answered(503).nearer()),
        (unusual, answered(502)),
        (unusual, answered(400)),
        (unusual, upload().uploaded(BIG).status(403)),
        (unusual, upload().uploaded(BIG).status(501)),
        ("the text that must be in the body is not", asked_for(text).status(200).fact(Fact::BodyMatches, false)),
    ]
}

fn unanswered() -> Vec<(&'static str, Seen)> {
    let accepted = "accepted, and silent, closed or reset";
    let encrypted = "plain HTTP is closed or reset without a word, or met with 400, and a TLS hello is answered there";
    let hello = serde_json::json!([{"name": null, "answer": "hello"}, {"name": null, "answer": "unheard"},
        {"name": null, "answer": "unheard"}]);
    vec![
        (encrypted, asked().fails(StepKind::Reply, Failure::Closed).fact(Fact::TlsHellos, hello.clone())),
        (encrypted, answered(400).fact(Fact::TlsHellos, hello)),
        (accepted, asked().fails(StepKind::Reply, Failure::TimedOut)),
        (accepted, asked().fails(StepKind::Reply, Failure::Closed)),
        (accepted, asked().fails(StepKind::Reply, Failure::Reset)),
        (
            "something else than HTTP",
            asked().fails(StepKind::Reply, Failure::Malformed).fact(Fact::Banner, "SSH-2.0-x"),
        ),
    ]
}

/// A receipt of a request with the headers of the probe's own.
fn request() -> Receipt {
    let own = [("host", "10.9.2.2"), ("x-bothways-token", "0123456789abcdef"), ("user-agent", "b"), ("accept", "*/*")];
    let headers = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Receipt { headers, ..ours("http", 443, 500, 90) }
}

fn joined() -> Shown {
    let changed = "a responder's page differs from what it says of it, or arrives longer than it was sent (joined)";
    let passed = || with(with_token(tcp(Status::Pass, Code::Ok)), &[(Fact::Echoed, true.into())]);
    let longer = with(passed(), &[(Fact::BodyBytes, 400.into())]);
    let mut bare = request();
    bare.headers.retain(|(name, _)| name != "user-agent");
    let judged = |given: &Outcome, receipt| super::judgement(&far(given, Responder).received(receipt).judge(given));
    let proxied = |given: Outcome| {
        let facts = [(Fact::Proxy, "proxy:3128".into()), (Fact::Echoed, false.into()), (Fact::Status, 200.into())];
        let given = with(given, &facts);
        super::judgement(&far(&given, Responder).judge(&given))
    };
    vec![
        (changed, answered(200).fact(Fact::Echoed, true).fact(Fact::PageIntact, false).judged()),
        (changed, judged(&longer, request())),
        ("joined: a request arrived without headers that it was sent with", judged(&passed(), bare)),
        (
            "joined: a proxy answers for the responder, without its token, and the request never arrived there",
            proxied(with_token(tcp(Status::Pass, Code::Ok))),
        ),
    ]
}

#[test]
fn the_table_of_http_is_what_the_judges_do() {
    let pass = "the responder repeated the token, or an answer that the check accepts";
    let alone = [(pass, answered(200).fact(Fact::Echoed, true)), (pass, answered(404))];
    let alone = alone.into_iter().chain(somebodys_page()).chain(sizes()).chain(statuses()).chain(unanswered());
    let mut shown: Shown = alone.map(|(name, seen)| (name, seen.judged())).collect();
    shown.extend(joined());
    let of_another_code = [
        "POST fails and GET of the same page passes",
        "joined: a proxy takes a request or an upgrade, which never arrives at the responder there",
    ];
    super::assert_told("HTTP", &shown, &of_another_code);
}

#[test]
fn a_method_that_does_not_pass_keeps_the_code_of_how_it_fails() {
    for (failure, code) in [
        (Failure::TimedOut, Code::Silent),
        (Failure::Closed, Code::ClosedAfterConnect),
        (Failure::Reset, Code::ResetOnPayload),
    ] {
        let post = asked_for(Http { method: Some(Method::Post), ..Http::default() });
        let judgement = post.fails(StepKind::Reply, failure).fact(Fact::GetStatus, 200).judged();
        assert_eq!((judgement.status, judgement.code), (Status::Fail, code));
        assert!(judgement.sentence.contains("does not let this method pass"), "{}", judgement.sentence);
    }
}

#[test]
fn a_request_that_a_proxy_took_and_did_not_pass_on_keeps_the_code_of_how_it_fails() {
    for code in [Code::Silent, Code::ClosedAfterConnect, Code::WsUpgradeStripped] {
        let given = with(with_token(tcp(Status::Fail, code)), &[(Fact::Proxy, "proxy:3128".into())]);
        let judged = super::judgement(&far(&given, Responder).judge(&given));
        let [found, _, lost, _] = super::verdict(&judged);
        assert_eq!((found, lost.as_str()), (format!("fail {code}"), "request"), "{}", judged.sentence);
    }
}
