//! What the evidence of SQL Server (MS-TDS) means, once the connection and proxy stages are passed.
//!
//! An answered PRELOGIN proves the path and who is there; what comes after it (TLS, login, query) is the affair of the
//! server or of the profile. So the TLS stage is judged here where PRELOGIN was answered.

mod login;

use super::{Case, reach, tls, unforeseen};
use crate::model::ask::host_port;
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::Confidence::{Likely, Proven};
use crate::model::finding::{Judgement, Remedy, Who};
use crate::model::probe::{Probe, Sql, SqlEncryption};

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Sql(settings) = &case.ask.probe else { return unforeseen(case) };
    if answered(case)
        && let Some(judgement) = another_server(case).or_else(|| other_encryption(case, settings))
    {
        return judgement;
    }
    let Some((kind, failure)) = case.evidence.stopped_at().and_then(|step| Some((step.kind, step.error?))) else {
        return if answered(case) { works(case, settings) } else { unforeseen(case) };
    };
    match (answered(case), kind, failure) {
        (true, StepKind::Tls, Failure::TlsVersion) => old_tls(case),
        (_, StepKind::Tls, _) => tls::judge(case, failure),
        (true, _, _) => login::failed(case, failure),
        (false, _, _) => no_prelogin(case, kind, failure),
    }
}

/// Whether this judge has a better word than the TLS judge for a conversation that stopped in TLS.
pub(super) fn judges_tls(case: &Case) -> bool {
    matches!(case.ask.probe, Probe::Sql(_)) && answered(case)
}

/// What a failed connect means where SQL Browser gave the port: the browser is reachable, its instance is not.
/// `None` where the port came from the profile, or where it is this machine that keeps the request back.
pub(super) fn instance_port_blocked(case: &Case, failure: Failure) -> Option<Judgement> {
    let Probe::Sql(settings) = &case.ask.probe else { return None };
    case.evidence.number(Fact::InstancePort)?;
    let blocked = reach::judge(case, failure);
    let by_device = case.evidence.stopped_at().is_some_and(|step| step.icmp.is_some());
    match blocked.code {
        Code::Dropped | Code::Refused | Code::RefusedInPath | Code::Rejected => {}
        Code::Unreachable if by_device && !case.turned_away_by_this_machine() => {}
        _ => return None,
    }
    let instance = settings.instance.as_deref().unwrap_or("of the profile");
    let moved = if failure == Failure::Refused { ", unless it has moved to another port since" } else { "" };
    let sentence = format!("{} SQL Browser says that instance {instance} listens there{moved}.", blocked.sentence);
    let remedy = blocked.remedy.map(|remedy| Remedy {
        text: format!(
            "{} Port {} is the instance's own, which may change at its next start: give the instance a fixed port first \
             (SQL Server Configuration Manager, TCP/IP, IPAll), then allow that one. A rule for 1433 alone does not \
             cover a named instance.",
            remedy.text, case.ask.port
        ),
        ..remedy
    });
    Some(Judgement { code: Code::SqlInstancePortBlocked, confidence: Likely, sentence, remedy, ..blocked })
}

/// Whether a PRELOGIN was answered, on whichever connection.
fn answered(case: &Case) -> bool {
    case.evidence.fact(Fact::Encryption).is_some()
}

/// Who answered, as people know it.
fn who(case: &Case) -> String {
    let version = case.evidence.text(Fact::Version).unwrap_or("?");
    if case.evidence.holds(Fact::Echoed) {
        return format!("a bothways responder (in the place of SQL Server {version})");
    }
    match year(version) {
        Some(year) => format!("SQL Server {year} ({version})"),
        None => format!("SQL Server {version}"),
    }
}

fn year(version: &str) -> Option<&'static str> {
    let mut parts = version.split('.');
    Some(match (parts.next()?, parts.next()?) {
        ("8", _) => "2000",
        ("9", _) => "2005",
        ("10", "50") => "2008 R2",
        ("10", _) => "2008",
        ("11", _) => "2012",
        ("12", _) => "2014",
        ("13", _) => "2016",
        ("14", _) => "2017",
        ("15", _) => "2019",
        ("16", _) => "2022",
        ("17", _) => "2025",
        _ => return None,
    })
}

fn another_server(case: &Case) -> Option<Judgement> {
    let matches = case.evidence.fact(Fact::InstanceMatches)?.as_bool()?;
    let instance = case.evidence.text(Fact::Instance)?;
    (!matches).then(|| {
        let sentence = format!(
            "{} is {}, but not the instance {instance}: that port belongs to another one.",
            case.target(),
            who(case)
        );
        let text = format!(
            "Correct the endpoint's `port` or `instance`: the port of {instance} is shown by SQL Server \
             Configuration Manager on {}, and by SQL Browser.",
            case.ask.host
        );
        Judgement::fail(Code::SqlInstanceUnknown, Proven, sentence).remedy(Who::Profile, text)
    })
}

/// What the profile demands and the server does not give.
fn other_encryption(case: &Case, settings: &Sql) -> Option<Judgement> {
    let offered = case.evidence.text(Fact::Encryption)?;
    let (wanted, met) = match settings.encryption.unwrap_or_default() {
        SqlEncryption::Any => return None,
        SqlEncryption::Required => ("encryption", matches!(offered, "on" | "required" | "strict")),
        SqlEncryption::Strict => ("strict encryption (TDS 8.0, TLS first)", offered == "strict"),
    };
    (!met).then(|| {
        let says = match offered {
            "off" => "answers that it would encrypt only the login",
            "not-supported" => "answers that it has no encryption",
            _ => "only speaks TDS 7, with TLS inside",
        };
        let sentence = format!(
            "The way to {} is open, but {} there {says}, and the profile wants {wanted}.",
            case.target(),
            who(case)
        );
        let text = "Set up a certificate and Force Encryption (or Force Strict Encryption) for the instance in SQL \
                    Server Configuration Manager, or lower `encryption` in the profile.";
        Judgement::fail(Code::SqlEncryptionMismatch, Proven, sentence).remedy(Who::Product, text)
    })
}

/// Nothing failed.
fn works(case: &Case, settings: &Sql) -> Judgement {
    let (target, who) = (case.target(), who(case));
    let encryption = case.evidence.text(Fact::Encryption).unwrap_or_default();
    if case.evidence.holds(Fact::QueryAnswered) {
        return strict_only(case, settings, &format!("{who} on {target} took the login and answered the query"))
            .unwrap_or_else(|| Judgement::pass(format!("{who} on {target} took the login and answered the query.")));
    }
    if let Some(account) = &settings.account {
        return login::not_tried(case, account.domain.is_some());
    }
    let encrypted = match encryption {
        "off" => "encrypts the login only",
        "not-supported" => "has no encryption",
        "required" => "insists on encryption",
        "strict" => "speaks TDS 8.0 (TLS first)",
        _ => "encrypts",
    };
    let instance = match (case.evidence.text(Fact::Instance), case.evidence.holds(Fact::InstanceMatches)) {
        (Some(instance), true) => format!(" as instance {instance}"),
        _ => String::new(),
    };
    let sentence = format!("{target} answered a PRELOGIN as {who}{instance}, and {encrypted}");
    strict_only(case, settings, &sentence).unwrap_or_else(|| Judgement::pass(sentence + "."))
}

/// A server that only takes TLS first, where the profile does not say that the product is set for it.
fn strict_only(case: &Case, settings: &Sql, what: &str) -> Option<Judgement> {
    let strict = case.evidence.text(Fact::Encryption) == Some("strict");
    (strict && settings.encryption.unwrap_or_default() != SqlEncryption::Strict).then(|| {
        let sentence = format!("{what}, but it takes no PRELOGIN in the clear: clients must use Encrypt=Strict.");
        let text = "Set Encrypt=Strict in the product's connection string, with a certificate that the client \
                    trusts; where the product can't, turn off Force Strict Encryption for the instance. Then say \
                    `encryption: strict` in the profile.";
        Judgement::warn(Code::SqlStrictOnly, Proven, sentence).remedy(Who::Product, text)
    })
}

/// PRELOGIN was answered, and TLS offers nothing that is spoken today.
fn old_tls(case: &Case) -> Judgement {
    let sentence = format!(
        "{} answered a PRELOGIN as {}: the way is open. But it offers no TLS version from 1.2 on, and current \
         clients refuse older ones.",
        case.target(),
        who(case)
    );
    Judgement::warn(Code::TlsVersion, Proven, sentence).remedy(
        Who::Product,
        "Update SQL Server to a version with TLS 1.2, and turn TLS 1.2 on in Windows (SChannel) on its host.",
    )
}

/// The connection was opened, and no PRELOGIN came back.
fn no_prelogin(case: &Case, kind: StepKind, failure: Failure) -> Judgement {
    let target = case.target();
    let partly = case.evidence.number(Fact::ReceivedBytes).is_some_and(|bytes| bytes > 0);
    let look =
        format!("See on {} whether SQL Server itself listens on TCP {} (netstat -abn).", case.ask.host, case.ask.port);
    match failure {
        Failure::Malformed => not_tds(case),
        Failure::TimedOut => {
            let how = if partly {
                "began an answer to a PRELOGIN but did not finish it"
            } else {
                "never answered a PRELOGIN"
            };
            let sentence = format!("{target} accepted the connection but {how}.");
            let text = format!(
                "{look} If it does and works locally, a device on the way accepts in its place: {}",
                case.rule()
            );
            Judgement::fail(Code::Silent, Likely, sentence).remedy(Who::TargetHost, text)
        }
        Failure::Closed => {
            let how = match (partly, case.evidence.passed(StepKind::Tls)) {
                (true, false) => "closed in the middle of its answer to a PRELOGIN",
                (false, false) => "closed it without an answer to a PRELOGIN, and to TLS first (TDS 8.0)",
                (_, true) => "closed it on a PRELOGIN inside TLS (TDS 8.0)",
            };
            let sentence = format!("{target} accepted the connection and {how}.");
            let text = format!(
                "{look} If it does, a firewall or proxy on the way closes what it does not allow: {}",
                case.rule()
            );
            Judgement::fail(Code::ClosedAfterConnect, Likely, sentence).remedy(Who::TargetHost, text)
        }
        Failure::Reset => {
            let (code, when) = match kind {
                StepKind::Request => (Code::ResetAfterConnect, "before a PRELOGIN could be sent"),
                _ => (Code::ResetOnPayload, "on the PRELOGIN"),
            };
            let sentence = format!("{target} accepted the connection and reset it {when}.");
            let text =
                format!("{} A firewall that inspects content does this; if none is on the way: {look}", case.rule());
            Judgement::fail(code, Likely, sentence).remedy(Who::Network, text)
        }
        _ => reach::judge(case, failure),
    }
}

fn not_tds(case: &Case) -> Judgement {
    let banner = case.evidence.text(Fact::Banner).unwrap_or_default();
    let said = if banner.starts_with(r"\x15\x03") {
        "it speaks TLS, but not TDS inside it".to_owned()
    } else {
        format!("it said `{}`", banner.chars().take(40).collect::<String>())
    };
    let sentence = format!(
        "{} accepted the connection but did not speak TDS: something else listens there ({said}).",
        case.target()
    );
    let text = format!(
        "Correct the endpoint's `port`, or stop what listens on {}: SQL Server Configuration Manager on that host \
         shows the port of the instance.",
        host_port(&case.ask.host, case.ask.port)
    );
    Judgement::fail(Code::SqlNotTds, Proven, sentence).remedy(Who::Profile, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ask::{Ask, Route, TlsExpectation};
    use crate::model::evidence::Evidence;
    use crate::model::flow::{Expect, Flow, Role, Transport};
    use crate::model::token::Token;

    /// What a failed connect to this instance means, with the port given by SQL Browser or not.
    fn blocked(failure: Failure, by_browser: bool) -> Option<Judgement> {
        let settings = Sql { instance: Some("MIRADORE".to_owned()), ..Sql::default() };
        let ask = Ask {
            probe: Probe::Sql(settings),
            host: "sql1".to_owned(),
            port: 49731,
            route: Route::Direct,
            tls: TlsExpectation::default(),
            token: Token::random(),
            source: None,
            largest_segment: None,
        };
        let flow = Flow {
            check: "sql-database".to_owned(),
            title: String::new(),
            task: "database".to_owned(),
            rank: 1,
            from: Role::new("server"),
            to: Role::new("sql-server"),
            endpoint: "sql-server".to_owned(),
            carries: None,
            transport: Transport::Tcp,
            expect: Expect::Open,
            remedy: "Allow TCP 49731 from server to sql-server.".to_owned(),
            source: String::new(),
        };
        let connect =
            json!({ "kind": "connect", "at_ms": 0, "took_ms": 1000, "address": "10.9.2.9:49731", "error": failure });
        let step = serde_json::from_value(connect).expect("a step");
        let mut evidence = Evidence { steps: vec![step], ..Evidence::default() };
        if by_browser {
            evidence.facts.insert(Fact::InstancePort.word().to_owned(), 49731.into());
        }
        instance_port_blocked(&Case { flow: &flow, ask: &ask, address: None, evidence: &evidence }, failure)
    }

    #[test]
    fn a_port_that_sql_browser_gave_and_the_network_drops_is_named_with_its_instance() {
        let judgement = blocked(Failure::TimedOut, true).expect("a judgement");
        assert_eq!(judgement.code, Code::SqlInstancePortBlocked);
        assert!(judgement.sentence.contains("MIRADORE") && judgement.sentence.contains("sql1:49731"), "{judgement:?}");
        assert!(judgement.remedy.is_some_and(|remedy| remedy.text.starts_with("Allow TCP 49731")));
    }

    #[test]
    fn a_port_of_the_profile_and_trouble_of_this_host_are_left_to_others() {
        assert_eq!(blocked(Failure::TimedOut, false), None);
        assert_eq!(blocked(Failure::AddressUnavailable, true), None);
    }
}
