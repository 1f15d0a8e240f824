//! What a verdict rests on, below its row: in short for what failed, in full where the reader asked for it.

use super::super::page::{Cell, Page, Paint};
use super::trail;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Lost, Status};
use crate::model::flow::Carries;
use crate::model::run::{Outcome, Receipt};

/// The evidence of one outcome.
pub(super) fn write(page: &mut Page, indent: usize, outcome: &Outcome) {
    let verbose = page.look().verbose;
    if !verbose && !matches!(outcome.status, Status::Fail | Status::Unknown | Status::Error) {
        return;
    }
    if verbose {
        steps(page, indent, outcome);
    } else if !outcome.steps.is_empty() {
        say(page, indent, "seen:", &trail::words(&outcome.steps));
    }
    let known = known(outcome, verbose);
    if !known.is_empty() {
        say(page, indent, "verdict:", &known.join("; "));
    }
    if verbose {
        facts(page, indent, outcome);
    }
}

fn say(page: &mut Page, indent: usize, label: &str, text: &str) {
    let lead = Cell::new(format!("{}{label} ", " ".repeat(indent)), Paint::Faint);
    page.wrapped(&[lead], indent + 2, text, Paint::Faint);
}

/// Every step on a line of its own.
fn steps(page: &mut Page, indent: usize, outcome: &Outcome) {
    for step in &outcome.steps {
        let code = step.os_code.map(|code| format!(" [os error {code}]")).unwrap_or_default();
        let note = step.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        say(page, indent, "step:", &format!("at {} ms: {}{code}{note}", step.at_ms, trail::one(step)));
    }
}

/// How sure the verdict is, which half was lost, who rejected it, how far the path answers, and what arrived.
fn known(outcome: &Outcome, verbose: bool) -> Vec<String> {
    let mut known = Vec::new();
    if !matches!(outcome.status, Status::Pass | Status::Error) {
        known.push(sure(outcome.confidence).to_owned());
    }
    match outcome.lost {
        Some(Lost::Request) => known.push("the request was lost on its way".to_owned()),
        Some(Lost::Reply) => known.push("the request arrived, the reply was lost".to_owned()),
        None => {}
    }
    // The steps tell it as well, where they saw it.
    let told = |icmp| outcome.steps.iter().any(|step| step.icmp == Some(icmp));
    if let Some(icmp) = outcome.path.rejected_by.filter(|icmp| !told(*icmp)) {
        known.push(format!("rejected by {}", trail::message(icmp)));
    }
    if let Some(hop) = outcome.path.last_hop {
        known.push(format!("the last hop that answers is {} ({})", hop.ttl, hop.address));
    }
    known.extend(proxy(outcome));
    if outcome.attempts > 1 {
        known.push(format!("{} attempts", outcome.attempts));
    }
    if !verbose {
        known.extend(outcome.receipts.first().map(|first| arrived(first, outcome.receipts.len())));
    }
    known
}

/// Through which proxy it went, by which setting, and what the exceptions said.
fn proxy(outcome: &Outcome) -> Option<String> {
    let text = |fact: Fact| outcome.text(fact);
    let exception = text(Fact::NoProxy);
    let Some(proxy) = text(Fact::Proxy) else { return exception.map(str::to_owned) };
    let by = text(Fact::ProxySource).map_or(String::new(), |by| format!(", which the {by} names"));
    let exception = exception.map_or(String::new(), |exception| format!("; {exception}"));
    Some(format!("it went through the proxy {proxy}{by}{exception}"))
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Proven => "proven",
        Confidence::Likely => "likely, other explanations are rare",
        Confidence::Possible => "possible, one of several explanations",
    }
}

fn arrived(receipt: &Receipt, times: usize) -> String {
    let more = if times > 1 { format!(", and {} more", times - 1) } else { String::new() };
    format!("the far side saw {} bytes from {} on {}{more}", receipt.received_bytes, receipt.source, receipt.arrived_at)
}

/// Which way the news travel, where the flow is documented, and every fact.
fn facts(page: &mut Page, indent: usize, outcome: &Outcome) {
    if let Some(carries) = outcome.carries {
        let way = match carries {
            Carries::ClientToServer => "client to server",
            Carries::ServerToClient => "server to client",
            Carries::Both => "both ways",
        };
        say(page, indent, "carries:", way);
    }
    if !outcome.source.is_empty() {
        say(page, indent, "source:", &outcome.source);
    }
    for (name, value) in &outcome.facts {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        say(page, indent, "fact:", &format!("{name} = {text}"));
    }
    for receipt in &outcome.receipts {
        let asked = receipt.asked.as_deref().map(|asked| format!(": {asked}")).unwrap_or_default();
        say(page, indent, "arrived:", &format!("{} at {} ms{asked}", arrived(receipt, 1), receipt.at_ms));
    }
}
