//! The words of a finding: what holds for every flow that it explains, and a remedy that names them all.

use super::Group;
use super::cause::Cause;
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::finding::{Remedy, Who};
use crate::model::run::{Finding, Outcome};

/// Targets or rules that are listed at most.
const MOST: usize = 12;

pub(super) fn finding(group: &Group) -> Option<Finding> {
    let told = telling(group)?;
    let mut outcomes: Vec<String> = Vec::new();
    for outcome in &group.explained {
        if !outcomes.contains(&outcome.check) {
            outcomes.push(outcome.check.clone());
        }
    }
    let (code, sentence, remedy) = match &group.cause {
        Cause::SilentHost { host, .. } => silent(group, host),
        Cause::SilentNetwork { .. } => silent(group, &among(&group.explained)),
        Cause::Machine { code: Code::Unreachable, failure: Some(Failure::HostUnreachable), .. } if hosts(group) > 1 => {
            no_neighbour(group)
        }
        _ => (told.code, sentence(group, told), remedy(group, told)),
    };
    let sentence = sentence + &untested(group);
    Some(Finding { code, status: group.status(), outcomes, targets: targets(&group.explained), sentence, remedy })
}

/// What was not tested for this cause.
fn untested(group: &Group) -> String {
    let checks = distinct(group.prevented.iter().map(|outcome| outcome.check.clone()));
    if checks.is_empty() { String::new() } else { format!(" For that, {} was not tested.", listed(&checks)) }
}

/// The outcome that says most of the cause; of several ports, the first among the surest.
fn telling<'a>(group: &Group<'a>) -> Option<&'a Outcome> {
    let of_one_port = matches!(group.cause, Cause::Port { .. });
    let plain = |outcome: &Outcome| matches!(group.cause, Cause::LostAlike { .. }) && outcome.code == Code::Dropped;
    let weight = |outcome: &Outcome| (plain(outcome), outcome.confidence, of_one_port && outcome.lost.is_some());
    group.explained.iter().copied().reduce(|best, next| if weight(next) > weight(best) { next } else { best })
}

/// `TCP srv01:443`, each once.
fn targets(outcomes: &[&Outcome]) -> Vec<String> {
    distinct(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.target.as_deref().map(|target| format!("{} {target}", outcome.transport))),
    )
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

/// The texts in one line, so many as a reader takes in.
fn listed(texts: &[String]) -> String {
    let shown = texts.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match texts.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn sentence(group: &Group, told: &Outcome) -> String {
    let own = told.target.as_deref().map(|target| format!("{} {target}", told.transport));
    let others: Vec<String> =
        targets(&group.explained).into_iter().filter(|target| Some(target) != own.as_ref()).collect();
    if others.is_empty() {
        return told.sentence.clone();
    }
    format!("{} The same holds for {}.", told.sentence, listed(&others))
}

/// The telling outcome's remedy, with the rules of all in the place of its own.
fn remedy(group: &Group, told: &Outcome) -> Option<Remedy> {
    let remedy = told.remedy.as_ref().or_else(|| group.explained.iter().find_map(|outcome| outcome.remedy.as_ref()))?;
    let rules = rules(&group.explained);
    if rules.is_empty() || rules == [told.rule.clone()] {
        return Some(remedy.clone());
    }
    if !told.rule.is_empty() && remedy.text.contains(&told.rule) {
        return Some(Remedy { who: remedy.who, text: remedy.text.replacen(&told.rule, &listed_rules(&rules), 1) });
    }
    let targets = targets(&group.explained);
    let concerned = if targets.len() > 1 { format!(" This concerns {}.", listed(&targets)) } else { String::new() };
    Some(Remedy { who: remedy.who, text: format!("{}{concerned}", remedy.text) })
}

/// The rules of all; one that another one only says more of is left out.
fn rules(outcomes: &[&Outcome]) -> Vec<String> {
    let all = distinct(outcomes.iter().map(|outcome| outcome.rule.clone()).filter(|rule| !rule.is_empty()));
    let contained = |rule: &String| {
        let begin = rule.trim_end_matches('.');
        all.iter().any(|other| other != rule && other.starts_with(begin))
    };
    all.iter().filter(|rule| !contained(rule)).cloned().collect()
}

fn listed_rules(rules: &[String]) -> String {
    rules.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The hosts of these flows, in one phrase.
fn among(outcomes: &[&Outcome]) -> String {
    listed(&distinct(outcomes.iter().filter_map(|outcome| outcome.host()).map(str::to_owned)))
}

fn hosts(group: &Group) -> usize {
    distinct(group.explained.iter().filter_map(|outcome| outcome.host()).map(str::to_owned)).len()
}

/// Several hosts of which none answers next to this machine: what they share is the gateway.
fn no_neighbour(group: &Group) -> (Code, String, Option<Remedy>) {
    let who = among(&group.explained);
    let sentence = format!(
        "{who} can't be reached ({}): nobody answers for them on the network that this machine is itself part of. Where they are \
         on other networks, it is the gateway that does not answer.",
        listed(&targets(&group.explained))
    );
    let text = "See that this machine's gateway is up, that its address is right, and that this machine is on the right network \
                (cable, VLAN, VPN). Hosts of this machine's own network must be switched on and have these addresses.";
    (Code::Unreachable, sentence, Some(Remedy { who: Who::ThisHost, text: text.to_owned() }))
}

/// Hosts from which nothing at all came back.
fn silent(group: &Group, who: &str) -> (Code, String, Option<Remedy>) {
    let several = matches!(group.cause, Cause::SilentNetwork { .. });
    let hop = group.explained.iter().find_map(|outcome| outcome.path.last_hop);
    let last = hop.map_or_else(String::new, |hop| {
        format!(" The last device on the way that answers is {} (hop {}).", hop.address, hop.ttl)
    });
    let (what, off) = if several {
        (
            "is silent, and no other host answered either",
            "The network behind is cut off or not routed, the hosts are off",
        )
    } else {
        ("is silent on everything that was asked", "The host is off or has another address")
    };
    let sentence = format!(
        "{who} {what} ({}): not one packet came back. {off}, or a firewall drops everything, there or back.{last}",
        listed(&targets(&group.explained))
    );
    let text = format!(
        "See first that {who} can be reached at all, from a neighbour of it. If so: {}",
        listed_rules(&rules(&group.explained))
    );
    (Code::Dropped, sentence, Some(Remedy { who: Who::Network, text }))
}
