//! Conversations that show the rows of the tables of TLS.

use bothways::diagnose::issuers;
use bothways::model::certificate::{Hello, HelloAnswer, Presented};
use bothways::model::code::Code;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Judgement, Status};
use bothways::model::probe::{Http, Probe};
use bothways::model::run::Outcome;
use bothways::model::sighting::AnsweredBy::Responder;
use serde_json::{Value, json};

use super::seen::Seen;
use crate::both::scene;
use crate::reports::sample;

const NAME: &str = "mdm.lab.test";

fn https() -> Seen {
    Seen::of(Probe::Http(Http { https: Some(true), ..Http::default() }), 443).accepted()
}

fn named() -> Seen {
    let mut seen = https();
    seen.ask.tls.name = Some(NAME.to_owned());
    seen
}

impl Seen {
    /// The hello was said again with the same name, without one, and with another.
    fn hellos(self, same: Option<&str>, answers: [HelloAnswer; 3]) -> Self {
        let names = [same, None, Some("www.other.test")].map(|name| name.map(str::to_owned));
        let hellos: Vec<Hello> = names.into_iter().zip(answers).map(|(name, answer)| Hello { name, answer }).collect();
        self.fact(Fact::TlsHellos, json!(hellos))
    }

    fn plainly(self, line: &str) -> Self {
        self.fact(Fact::PlainAnswer, line)
    }
}

/// How a hello can fail, and what comes then to the same one.
const FATES: [(Failure, HelloAnswer); 3] = [
    (Failure::TimedOut, HelloAnswer::Silence),
    (Failure::Reset, HelloAnswer::Reset),
    (Failure::Closed, HelloAnswer::Closed),
];

fn filtered() -> Vec<(&'static str, Judgement)> {
    use HelloAnswer::Hello as Answered;
    let mut shown = Vec::new();
    for (failure, none) in FATES {
        let failed = |seen: Seen| seen.fails(StepKind::Tls, failure);
        let with = |same: Option<&str>, answers: [&HelloAnswer; 3]| {
            let seen = if same.is_some() { named() } else { https() };
            failed(seen).hellos(same, answers.map(Clone::clone))
        };
        let name = Some(NAME);
        let nothing = || with(name, [&none, &none, &none]);
        shown.extend([
            ("no TLS | another is answered in TLS |", with(name, [&none, &none, &Answered])),
            ("no TLS | another is answered in TLS |", with(name, [&none, &Answered, &Answered])),
            ("no TLS | only the one without a name is answered |", with(name, [&none, &Answered, &none])),
            ("(an address: no name) | another is answered |", with(None, [&none, &none, &Answered])),
            ("no TLS | no TLS | status 400, as TLS servers answer", nothing().plainly("HTTP/1.1 400 Bad Request")),
            ("no TLS | no TLS | another status", nothing().plainly("HTTP/1.1 200 OK")),
            ("no TLS | no TLS | nothing", nothing()),
        ]);
    }
    shown.into_iter().map(|(name, seen)| (name, seen.judged())).collect()
}

/// Only silence excludes that the server knows few names.
#[test]
fn a_hello_without_a_name_alone_proves_a_filter_only_where_the_others_are_dropped() {
    let only = filtered().into_iter().filter(|(name, _)| name.contains("only the one without"));
    let held: Vec<String> = only.map(|(_, judgement)| super::verdict(&judgement)[1].clone()).collect();
    assert_eq!(held, ["proven", "likely", "likely"]);
}

#[test]
fn the_table_of_hellos_without_an_answer_is_what_the_judges_do() {
    let rows = &super::tables("TLS")[0];
    super::assert_shown(rows, &filtered(), &["answered |  |"]);
    for (failure, _) in FATES {
        let alone = || named().fails(StepKind::Tls, failure);
        let again = alone().hellos(Some(NAME), [HelloAnswer::Hello, HelloAnswer::Hello, HelloAnswer::Hello]);
        assert_eq!(again.judged(), alone().judged(), "the first hello alone decides");
    }
}

fn alerted(alert: &str, failure: Failure) -> Seen {
    named().fails(StepKind::Tls, failure).fact(Fact::TlsAlert, alert)
}

#[test]
fn the_table_of_alerts_is_what_the_judges_do() {
    let met = |alert: &str| HelloAnswer::Alert(alert.to_owned());
    let always =
        |alert: &str, failure| alerted(alert, failure).hellos(Some(NAME), [met(alert), met(alert), met(alert)]);
    let other =
        |alert: &str, failure| alerted(alert, failure).hellos(Some(NAME), [met(alert), met(alert), HelloAnswer::Hello]);
    let (version, certificate) = ("`protocol_version`, `insufficient_security` |", Failure::TlsClientCertificate);
    let wanted = "`certificate_required`, or another after the server asked for one |";
    let again = https().went_well(StepKind::Tls).fails(StepKind::Request, Failure::TlsVersion);
    let shown = [
        ("`unrecognized_name` |", alerted("unrecognized_name", Failure::TlsAlert)),
        ("any other | is answered", other("internal_error", Failure::TlsAlert)),
        ("any other | is answered", other("handshake_failure", Failure::TlsVersion)),
        (version, alerted("protocol_version", Failure::TlsVersion)),
        (version, alerted("insufficient_security", Failure::TlsVersion)),
        ("`handshake_failure` | meets an alert too", always("handshake_failure", Failure::TlsVersion)),
        (wanted, alerted("certificate_required", certificate)),
        (wanted, alerted("handshake_failure", certificate)),
        ("any other | meets an alert too", always("internal_error", Failure::TlsAlert)),
        ("a second handshake once the request was sent |", again),
    ];
    let shown = shown.map(|(name, seen)| (name, seen.judged()));
    super::assert_shown(&super::tables("TLS")[1], &shown, &[]);
}

/// A certificate that was valid from the first to the last of these days.
fn dated(failure: Failure, from: &str, until: &str) -> Seen {
    let leaf = Presented {
        not_before: format!("{from}T00:00:00Z"),
        not_after: format!("{until}T00:00:00Z"),
        ..Presented::default()
    };
    named().fails(StepKind::Tls, failure).fact(Fact::TlsChain, json!([leaf]))
}

fn told(seen: Seen, time: &str, ahead: i64) -> Seen {
    seen.fact(Fact::HostTime, time).fact(Fact::ClockAhead, ahead)
}

#[test]
fn the_table_of_dates_is_what_the_judges_do() {
    let rows = &super::tables("TLS")[2];
    let old = || dated(Failure::TlsExpired, "2026-01-01", "2026-06-30");
    let new = || dated(Failure::TlsNotYetValid, "2027-01-01", "2027-06-30");
    let (agree, within) = ("is this machine's, to five minutes", "is another, at which the certificate is valid");
    let unknown = "is not told, or does not make it valid";
    let shown = [
        (agree, told(old(), "2026-11-23T12:00:00Z", 300)),
        (agree, told(new(), "2026-11-23T12:00:00Z", -300)),
        (within, told(old(), "2026-05-01T12:00:00Z", 9_000_000)),
        (within, told(new(), "2027-05-01T12:00:00Z", -9_000_000)),
        (unknown, old()),
        (unknown, new()),
        (unknown, told(old(), "2025-05-01T12:00:00Z", 9_000_000)),
    ];
    for cells in rows {
        let all = shown.iter().filter(|(name, _)| *name == cells[0]);
        assert!(all.count() > 0, "nothing shows the row `{}`", cells[0]);
    }
    for (name, seen) in shown {
        let judgement = seen.judged();
        let cells = rows.iter().find(|cells| cells[0] == name).expect("a row");
        let [_, confidence, _, who] = super::verdict(&judgement);
        let helper = cells[3].is_empty() || cells[3] == who;
        assert!(says_code(&cells[1], &judgement) && cells[2] == confidence && helper, "{cells:?}\n{judgement:#?}");
    }
}

/// The two codes of dates stand for each other there.
fn says_code(cell: &str, judgement: &Judgement) -> bool {
    super::says(cell, judgement) || cell.contains("the same code")
}

/// An outcome over TLS with a certificate for its host.
fn with_certificate(host: &str, status: Status, issuer: &str, key: &str) -> Outcome {
    let code = if status == Status::Pass { Code::Ok } else { Code::TlsUntrusted };
    let leaf = Presented {
        subject: format!("CN={host}"),
        issuer: issuer.to_owned(),
        sha256: format!("of {host}"),
        key: key.to_owned(),
        ..Presented::default()
    };
    let outcome = sample::outcome("flow", "client", "server", &format!("{host}:443"), status, code, "Said alone.");
    scene::with(outcome, &[(Fact::TlsChain, json!([leaf]))])
}

/// What the issuers of two unrelated hosts say of the first.
fn beside(status: Status, issuer: &str, keys: [&str; 2]) -> Judgement {
    let mut outcomes = [("mdm.corp.example", keys[0]), ("cdn.vendor.test", keys[1])]
        .map(|(host, key)| with_certificate(host, status, issuer, key));
    issuers::judge(&mut outcomes);
    super::judgement(&outcomes[0])
}

#[test]
fn the_table_of_interception_is_what_the_judges_do() {
    let profile = "not the `fingerprint` or `issuer` that the profile names";
    let (product, key) = (
        "the issuer is named as products that open TLS name theirs",
        "another certificate, of a host in another domain, has the same key",
    );
    let fault = |what: &str| json!([{"certificate": 0, "what": what}]);
    let unexpected =
        |what: Value| named().fails(StepKind::Tls, Failure::TlsIntercepted).fact(Fact::TlsFault, what).judged();
    let passed = scene::with(
        scene::with_token(scene::tcp(Status::Pass, Code::Ok)),
        &[(Fact::Echoed, true.into()), (Fact::TlsFingerprint, "00:11:22:33".into())],
    );
    let untrusted = named().fails(StepKind::Tls, Failure::TlsUntrusted).fact(Fact::TlsFault, fault("unknown-issuer"));
    let shown = [
        (profile, unexpected(fault("wrong-fingerprint"))),
        (profile, unexpected(fault("wrong-issuer"))),
        (
            "not the certificate that the far side presented (joined or merged runs)",
            super::judgement(&scene::far(&passed, Responder).judge(&passed)),
        ),
        (product, beside(Status::Pass, "CN=Zscaler Root CA", ["a", "b"])),
        (product, beside(Status::Fail, "CN=Zscaler Root CA", ["a", "b"])),
        (key, beside(Status::Pass, "CN=Gate", ["a", "a"])),
        (key, beside(Status::Fail, "CN=Gate", ["a", "a"])),
        (
            "nobody here knows the issuer, and it signed for hosts in different domains",
            beside(Status::Fail, "CN=Gate", ["a", "b"]),
        ),
        (
            "this machine trusts the issuer, and it signed for hosts in different domains",
            beside(Status::Pass, "CN=Corp", ["a", "b"]),
        ),
        ("nobody here knows the issuer", untrusted.judged()),
    ];
    super::assert_shown(&super::tables("TLS")[3], &shown, &[]);
}
