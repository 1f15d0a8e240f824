//! Certificates that real servers present: which are accepted, and what is said of the others.

use std::process::Command;

use bothways::model::ask::{TlsExpectation, Trust};
use bothways::model::code::Code;
use bothways::model::evidence::StepKind;
use bothways::model::fact::Fact;
use bothways::model::finding::{Confidence, Status};

use super::authority::{Authority, Issued, When, self_signed, server};
use super::server::{converse, fault, https, nginx, present, s_server};
use crate::support::daemon::program;

const HOST: &str = "127.0.0.1";

fn trusting(authority: &Authority, folder: &tempfile::TempDir) -> TlsExpectation {
    TlsExpectation { ca: Some(authority.file(folder.path())), ..TlsExpectation::default() }
}

#[tokio::test]
async fn a_chain_with_its_intermediate_is_accepted_and_every_fact_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let low = root.intermediate("Test Issuing", When::Now);
    let issued = low.issue(&[HOST, "server.test"], When::Now).with(&[&low]);
    let (_daemon, port) = nginx(&issued, "ssl_protocols TLSv1.2 TLSv1.3;");
    let seen = converse(&https(port, trusting(&root, &folder))).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    assert!(seen.evidence.passed(StepKind::Tls));
    assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("ca"));
    assert_eq!(seen.evidence.text(Fact::TlsVersion), Some("TLS 1.3"));
    assert_eq!(seen.evidence.text(Fact::Alpn), Some("http/1.1"));
    assert_eq!(seen.evidence.number(Fact::TlsDaysLeft), Some(30));
    assert!(seen.evidence.fact(Fact::TlsPlatform).is_none(), "nobody else needs to be asked");
    let chain = seen.evidence.fact(Fact::TlsChain).unwrap();
    assert_eq!(chain[0]["subject"], "CN=127.0.0.1");
    assert_eq!(chain[0]["issuer"], "CN=Test Issuing");
    assert_eq!(chain[0]["names"], serde_json::json!([HOST, "server.test"]));
    assert_eq!(chain[0]["sha256"].as_str(), seen.evidence.text(Fact::TlsFingerprint));
    assert_eq!(chain[1]["subject"], "CN=Test Issuing");
    assert!(chain[0]["not-after"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn an_authority_that_this_machine_does_not_know_is_named() {
    let root = Authority::root("Unheard-of Root");
    let issued = root.issue(&[HOST], When::Now).with(&[&root]);
    let seen = present(&issued, TlsExpectation::default()).await;
    assert_eq!((seen.judgement.code, seen.judgement.status), (Code::TlsUntrusted, Status::Fail));
    assert_eq!(fault(&seen), (1, "unknown-issuer".to_owned()));
    assert!(seen.judgement.sentence.contains("CN=Unheard-of Root"), "{}", seen.judgement.sentence);
    assert!(seen.evidence.text(Fact::TlsPlatform).unwrap().starts_with("refused: "));
}

#[tokio::test]
async fn a_server_that_leaves_out_its_intermediate_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let issued = root.intermediate("Test Issuing", When::Now).issue(&[HOST], When::Now);
    let seen = present(&issued, trusting(&root, &folder)).await;
    assert_eq!(seen.judgement.code, Code::TlsUntrusted);
    assert_eq!(fault(&seen), (0, "incomplete-chain".to_owned()));
    assert!(seen.judgement.sentence.contains("CN=Test Issuing"), "{}", seen.judgement.sentence);
    assert!(seen.evidence.text(Fact::TlsPlatform).unwrap().starts_with("refused: "));
}

#[tokio::test]
async fn a_server_that_leaves_out_the_upper_of_two_intermediates_is_told_which() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let upper = root.intermediate("Test Upper", When::Now);
    let lower = upper.intermediate("Test Lower", When::Now);
    let seen = present(&lower.issue(&[HOST], When::Now).with(&[&lower]), trusting(&root, &folder)).await;
    assert_eq!(seen.judgement.code, Code::TlsUntrusted);
    assert_eq!(fault(&seen), (1, "incomplete-chain".to_owned()));
    let missing = "the issuer of its intermediate CN=Test Lower, CN=Test Upper, was neither presented";
    assert!(seen.judgement.sentence.contains(missing), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn what_a_server_presents_instead_of_its_intermediate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let stray = root.intermediate("Stray", When::Now);
    let issued = root.intermediate("Test Issuing", When::Now).issue(&[HOST], When::Now).with(&[&stray]);
    let seen = present(&issued, trusting(&root, &folder)).await;
    assert_eq!(fault(&seen), (0, "incomplete-chain".to_owned()));
    assert!(seen.judgement.sentence.contains("(CN=Stray was presented instead"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_self_signed_certificate_is_untrusted() {
    for authority in [false, true] {
        let seen = present(&self_signed(&[HOST], authority), TlsExpectation::default()).await;
        assert_eq!(seen.judgement.code, Code::TlsUntrusted);
        assert_eq!(fault(&seen), (0, "self-signed".to_owned()));
    }
}

#[tokio::test]
async fn a_self_signed_certificate_that_the_profile_trusts_is_accepted() {
    for authority in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let issued = self_signed(&[HOST], authority);
        let file = folder.path().join("server.pem");
        std::fs::write(&file, &issued.pem).unwrap();
        let seen = present(&issued, TlsExpectation { ca: Some(file), ..TlsExpectation::default() }).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
        assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("ca"));
    }
}

#[tokio::test]
async fn an_authority_out_of_its_dates_vouches_for_nothing_whether_presented_or_not() {
    for (when, code, what) in
        [(When::Past, Code::TlsExpired, "expired"), (When::Future, Code::TlsNotYetValid, "not-yet-valid")]
    {
        for presented in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let root = Authority::root_of("Dated Root", when);
            let low = root.intermediate("Test Issuing", When::Now);
            let chain: &[&Authority] = if presented { &[&low, &root] } else { &[&low] };
            let seen = present(&low.issue(&[HOST], When::Now).with(chain), trusting(&root, &folder)).await;
            assert_eq!((seen.judgement.code, seen.judgement.status), (code, Status::Fail), "{:?}", seen.judgement);
            assert_eq!(fault(&seen), (2, what.to_owned()));
            let named = seen.judgement.sentence.contains("The authority at the end of the chain");
            assert!(named && seen.judgement.sentence.contains("(CN=Dated Root)"), "{}", seen.judgement.sentence);
            assert_eq!(seen.evidence.fact(Fact::TlsAuthority).is_some(), !presented);
        }
    }
}

#[tokio::test]
async fn an_expired_certificate_is_dated() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let seen = present(&root.issue(&[HOST], When::Past), trusting(&root, &folder)).await;
    // Nobody tells the host's time: the clock here may be the one that is wrong.
    assert_eq!((seen.judgement.code, seen.judgement.confidence), (Code::TlsExpired, Confidence::Likely));
    assert_eq!(fault(&seen), (0, "expired".to_owned()));
    assert_eq!(seen.evidence.fact(Fact::TlsDaysLeft).unwrap(), -3, "two and a half days ago");
    let day = seen.evidence.fact(Fact::TlsChain).unwrap()[0]["not-after"].as_str().unwrap()[..10].to_owned();
    assert!(seen.judgement.sentence.contains(&format!("expired on {day}")), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn an_expired_intermediate_is_told_apart_from_the_servers_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let low = root.intermediate("Old Issuing", When::Past);
    let seen = present(&low.issue(&[HOST], When::Now).with(&[&low]), trusting(&root, &folder)).await;
    assert_eq!(seen.judgement.code, Code::TlsExpired);
    assert_eq!(fault(&seen), (1, "expired".to_owned()));
    assert!(seen.judgement.sentence.contains("CN=Old Issuing"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_certificate_of_tomorrow_casts_doubt_on_this_machines_clock() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let seen = present(&root.issue(&[HOST], When::Future), trusting(&root, &folder)).await;
    assert_eq!((seen.judgement.code, seen.judgement.confidence), (Code::TlsNotYetValid, Confidence::Likely));
    assert_eq!(fault(&seen), (0, "not-yet-valid".to_owned()));
    assert!(seen.judgement.sentence.contains("clock"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_certificate_for_other_names_lists_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let issued = root.issue(&["one.test", "*.two.test", "10.9.8.7"], When::Now);
    let seen = present(&issued, trusting(&root, &folder)).await;
    assert_eq!(seen.judgement.code, Code::TlsNameMismatch);
    assert_eq!(fault(&seen), (0, "name-mismatch".to_owned()));
    assert!(seen.judgement.sentence.contains("one.test, *.two.test, 10.9.8.7"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let root = Authority::root("Unheard-of Root");
    let seen = present(&root.issue(&["other.test"], When::Past), TlsExpectation::default()).await;
    let faults = seen.evidence.fact(Fact::TlsFault).unwrap().as_array().unwrap();
    let words: Vec<&str> = faults.iter().map(|fault| fault["what"].as_str().unwrap()).collect();
    assert_eq!(words, ["expired", "name-mismatch", "incomplete-chain"]);
    let all =
        "Besides, it is not for the name that was asked for, and is not from an authority that this machine trusts.";
    assert!(seen.judgement.sentence.ends_with(all), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn the_name_to_check_may_be_given() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let tls = TlsExpectation { name: Some("a.two.test".to_owned()), ..trusting(&root, &folder) };
    let seen = present(&root.issue(&["*.two.test"], When::Now), tls).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
}

#[tokio::test]
async fn an_ipv6_address_is_matched_by_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    let (_daemon, port) = nginx(&root.issue(&["::1"], When::Now), "");
    let mut ask = https(port, trusting(&root, &folder));
    ask.host = "::1".to_owned();
    let seen = converse(&ask).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    ask.host = HOST.to_owned();
    let seen = converse(&ask).await;
    assert_eq!(seen.judgement.code, Code::TlsNameMismatch);
    assert!(seen.judgement.sentence.contains("::1"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_matching_fingerprint_is_trusted_whoever_signed() {
    let issued = self_signed(&["whatever.test"], false);
    let plain = issued.fingerprint();
    let pairs: Vec<&str> = (0..plain.len()).step_by(2).map(|at| &plain[at..at + 2]).collect();
    for written in [pairs.join(":").to_uppercase(), plain.clone()] {
        let tls = TlsExpectation { fingerprint: Some(written), ..TlsExpectation::default() };
        let seen = present(&issued, tls).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
        assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("fingerprint"));
    }
}

#[tokio::test]
async fn another_fingerprint_is_an_interception_even_with_a_trusted_chain() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Inspection Root");
    let tls = TlsExpectation { fingerprint: Some("00".repeat(32)), ..trusting(&root, &folder) };
    let seen = present(&root.issue(&[HOST], When::Now), tls).await;
    assert_eq!((seen.judgement.code, seen.judgement.confidence), (Code::TlsIntercepted, Confidence::Likely));
    assert!(seen.judgement.sentence.contains("CN=Inspection Root"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn another_issuer_is_an_interception_and_the_right_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Inspection Root");
    let issued = root.issue(&[HOST], When::Now);
    let (_daemon, port) = nginx(&issued, "");
    let expecting = |issuer: &str| TlsExpectation { issuer: Some(issuer.to_owned()), ..trusting(&root, &folder) };
    let seen = converse(&https(port, expecting("Example Corp"))).await;
    assert_eq!(seen.judgement.code, Code::TlsIntercepted);
    assert_eq!(fault(&seen), (0, "wrong-issuer".to_owned()));
    assert!(seen.judgement.sentence.contains("Example Corp"), "{}", seen.judgement.sentence);
    let seen = converse(&https(port, expecting("inspection"))).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
}

#[tokio::test]
async fn a_certificate_that_is_not_judged_is_still_shown() {
    let issued = Authority::root("Unheard-of Root").issue(&["other.test"], When::Past);
    let seen = present(&issued, TlsExpectation { trust: Trust::Anyone, ..TlsExpectation::default() }).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("nobody"));
    assert_eq!(fault(&seen), (0, "expired".to_owned()));
}

#[tokio::test]
async fn what_the_platforms_library_accepts_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::root("Test Root");
    // No names besides the subject's: OpenSSL falls back to that, today's verifiers do not.
    let mut params = server(&["server.test"], When::Now);
    params.subject_alt_names.clear();
    let tls = TlsExpectation { name: Some("server.test".to_owned()), ..trusting(&root, &folder) };
    let seen = present(&root.issue_as(&params), tls).await;
    assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("platform-library"));
    assert_eq!(seen.evidence.text(Fact::TlsPlatform), Some("trusted"));
    assert_eq!(fault(&seen), (0, "name-mismatch".to_owned()));
}

#[tokio::test]
async fn an_unreadable_file_of_authorities_is_the_profiles_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let issued = Authority::root("Test Root").issue(&[HOST], When::Now);
    let tls = TlsExpectation { ca: Some(folder.path().join("missing.pem")), ..TlsExpectation::default() };
    let seen = present(&issued, tls).await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Error, Code::ToolError));
    assert!(seen.judgement.sentence.contains("missing.pem"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_of_one_connection_at_a_time_still_gets_its_verdict() {
    let seen = {
        let (_daemon, port) = s_server(&self_signed(&[HOST], false), &[]);
        converse(&https(port, TlsExpectation::default())).await
    };
    assert_eq!(seen.judgement.code, Code::TlsUntrusted);
    assert!(seen.evidence.text(Fact::TlsPlatform).unwrap().starts_with("could not be asked"));
}

/// As `openssl x509 -req` makes them where nobody names extensions: version 1, for the subject's common name only.
fn of_version_1(folder: &std::path::Path, authority: &Issued) -> Issued {
    let file = |name: &str| folder.join(name);
    std::fs::write(file("root.pem"), &authority.pem).unwrap();
    std::fs::write(file("root.key"), &authority.key).unwrap();
    let openssl = |arguments: &[&str]| {
        let output = Command::new(program("openssl", "openssl")).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "v1.key",
        "-out",
        "v1.csr",
    ]);
    openssl(&[
        "x509",
        "-req",
        "-in",
        "v1.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-set_serial",
        "7",
        "-out",
        "v1.pem",
    ]);
    openssl(&["x509", "-in", "v1.pem", "-outform", "der", "-out", "v1.der"]);
    Issued {
        pem: std::fs::read_to_string(file("v1.pem")).unwrap(),
        der: std::fs::read(file("v1.der")).unwrap(),
        key: std::fs::read_to_string(file("v1.key")).unwrap(),
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_is_worth_what_the_platforms_own_library_says() {
    let folder = tempfile::tempdir().unwrap();
    let root = self_signed(&["Old Root"], true);
    let issued = of_version_1(folder.path(), &root);
    let trusting = TlsExpectation {
        ca: Some(folder.path().join("root.pem")),
        name: Some("localhost".to_owned()),
        ..TlsExpectation::default()
    };
    for version in ["TLSv1.2", "TLSv1.3"] {
        let (_daemon, port) = nginx(&issued, &format!("ssl_protocols {version};"));
        let seen = converse(&https(port, TlsExpectation::default())).await;
        assert_eq!((seen.judgement.code, seen.judgement.status), (Code::TlsUntrusted, Status::Fail), "{version}");
        let seen = converse(&https(port, trusting.clone())).await;
        assert_eq!(seen.judgement.status, Status::Pass, "{version}: {:?}", seen.judgement);
        assert_eq!(seen.evidence.text(Fact::TlsTrust), Some("platform-library"));
    }
}
