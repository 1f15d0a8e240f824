//! What the evidence of SQL Server Browser (MC-SQLR) means.
//!
//! Silence proves nothing: the browser may be stopped, hide its instances, or be behind a firewall, all without a sign.

use serde_json::Value;

use super::{Case, reach, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::Confidence::{Likely, Proven};
use crate::model::finding::{Judgement, Lost, Who};
use crate::model::probe::{Probe, SqlBrowser};

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::SqlBrowser(settings) = &case.ask.probe else { return unforeseen(case) };
    match case.evidence.stopped_at().and_then(|step| step.error) {
        None => answered(case, settings),
        Some(Failure::TimedOut) if case.evidence.holds(Fact::ShortAnswer) => list_lost(case, settings),
        Some(Failure::TimedOut) => silent(case, settings),
        Some(Failure::Malformed) => wrong_service(case),
        // Windows words "port unreachable" as a reset.
        Some(Failure::Refused | Failure::Reset) => refused(case),
        Some(failure) => reach::judge(case, failure),
    }
}

fn answered(case: &Case, settings: &SqlBrowser) -> Judgement {
    let Some(list) = case.evidence.fact(Fact::Instances).and_then(Value::as_array) else { return unforeseen(case) };
    let target = case.target();
    let elsewhere = elsewhere(case);
    let names = list.iter().map(described).collect::<Vec<_>>().join(", ");
    let Some(asked) = &settings.instance else {
        return if list.is_empty() {
            let sentence = format!("SQL Browser on {target} answers{elsewhere}, but lists no instance.");
            Judgement::warn(Code::SqlInstanceUnknown, Proven, sentence)
                .remedy(Who::Product, "Start the SQL Server instance, and see that it is not hidden (Hide Instance).")
        } else {
            Judgement::pass(format!("SQL Browser on {target} answers{elsewhere} and lists {names}."))
        };
    };
    let is_asked = |one: &&Value| one["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(asked));
    match (list.iter().find(is_asked), case.evidence.number(Fact::InstancePort)) {
        (Some(_), Some(port)) => Judgement::pass(format!(
            "SQL Browser on {target} answers{elsewhere}: instance {asked} listens on TCP {port}."
        )),
        (Some(_), None) => {
            let sentence = format!(
                "SQL Browser on {target} knows the instance {asked}, but names no TCP port for it: TCP/IP is turned \
                 off for the instance."
            );
            Judgement::fail(Code::SqlInstanceUnknown, Proven, sentence).remedy(
                Who::Product,
                format!("Enable TCP/IP for {asked} in SQL Server Configuration Manager and restart the instance."),
            )
        }
        (None, _) => {
            let exist = if list.is_empty() { "none".to_owned() } else { names };
            let sentence =
                format!("SQL Browser on {target} answers, but knows no instance {asked}; it lists: {exist}.");
            let text = format!(
                "Correct `instance` of the endpoint `{}`; if the name is right, start that instance and see that it \
                 is not hidden.",
                case.flow.endpoint
            );
            Judgement::fail(Code::SqlInstanceUnknown, Proven, sentence).remedy(Who::Profile, text)
        }
    }
}

/// A remark where the answer came from another address than the one asked.
fn elsewhere(case: &Case) -> String {
    match (case.evidence.text(Fact::Address), case.address) {
        (Some(from), Some(asked)) if from != asked.to_string() => {
            format!(
                " (from {from}, not from the address that was asked: a stateful firewall on the way would drop that)"
            )
        }
        _ => String::new(),
    }
}

fn described(instance: &Value) -> String {
    let name = instance["name"].as_str().unwrap_or("?");
    match instance["port"].as_u64() {
        Some(port) => format!("{name} (TCP {port})"),
        None => format!("{name} (no TCP)"),
    }
}

/// The browser answers in short, and its list of all instances does not come.
fn list_lost(case: &Case, settings: &SqlBrowser) -> Judgement {
    let target = case.target();
    if let Some(asked) = &settings.instance {
        let sentence = format!(
            "SQL Browser on {target} answers about the instance MSSQLSERVER, and neither about {asked} nor with its list of all \
             instances: it knows no {asked}, or hides it. (The list did not come: one that is longer than a packet comes in \
             fragments, which firewalls often drop.)"
        );
        return Judgement::fail(Code::SqlInstanceUnknown, Likely, sentence).remedy(
            Who::Profile,
            format!(
                "Correct `instance` of the endpoint `{}`; if the name is right, start that instance and see that it is not \
                 hidden.",
                case.flow.endpoint
            ),
        );
    }
    let sentence = format!(
        "SQL Browser on {target} answers about one instance, but its list of all does not come: it is longer than a packet and \
         comes in fragments, which a device on the way drops."
    );
    Judgement::fail(Code::LargePacketsLost, Likely, sentence).lost(Lost::Reply).remedy(
        Who::Network,
        format!(
            "Let fragments of UDP pass from {target} to {}, or name the instance in the product and in the profile: the answer \
             about one is short.",
            case.flow.from
        ),
    )
}

fn silent(case: &Case, settings: &SqlBrowser) -> Judgement {
    let about = settings.instance.as_deref().map_or(String::new(), |name| format!(" about {name} or any instance"));
    let sentence = format!(
        "No answer from {}{about}. UDP silence proves nothing by itself: the network may drop it, SQL Browser may \
         be stopped, or it may hide its instances. `sqlcmd -L` on the SQL host itself, or `bothways listen` there, \
         would decide it.",
        case.target()
    );
    let text = format!(
        "{} First see on {} that the service SQL Server Browser runs. With a fixed `port` in the profile and in the \
         product, SQL Browser is not needed.",
        case.rule(),
        case.ask.host
    );
    Judgement::unknown(Code::SqlBrowserSilent, sentence).remedy(Who::Network, text)
}

fn refused(case: &Case) -> Judgement {
    if case.turned_away_by_another() {
        return reach::judge(case, Failure::Refused);
    }
    let sentence =
        format!("{} refuses: SQL Browser is not running there, or a firewall rejects in its name.", case.target());
    let text = format!(
        "Start the service SQL Server Browser on {} (and set it to start automatically). If it runs: {}",
        case.ask.host,
        case.rule()
    );
    Judgement::fail(Code::Refused, Likely, sentence).remedy(Who::TargetHost, text)
}

fn wrong_service(case: &Case) -> Judgement {
    let banner = case.evidence.text(Fact::Banner).unwrap_or_default();
    let shown: String = banner.chars().take(40).collect();
    let sentence =
        format!("{} answered, but not as SQL Browser: something else is there (it said `{shown}`).", case.target());
    let text = format!(
        "See on {} what listens on UDP {} (netstat -abn), and correct the endpoint.",
        case.ask.host, case.ask.port
    );
    Judgement::fail(Code::WrongService, Proven, sentence).remedy(Who::TargetHost, text)
}
