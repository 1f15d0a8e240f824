//! What was changed on the way: source addresses, headers, lengths of bodies. Receipts with the probe's token show it.

use serde_json::Value;

use super::ties::{Tie, address};
use super::view::View;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Status, Who};
use crate::model::probe::Protocol;
use crate::model::run::Receipt;
use crate::model::token::Token;

/// What the probes of HTTP and of WebSocket always send.
const SENT: [(Protocol, &[&str]); 2] = [
    (Protocol::Http, &["host", "user-agent", "accept", Token::HEADER]),
    (
        Protocol::Websocket,
        &["host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-key", Token::HEADER],
    ),
];
/// What they send now and then, or what concerns one hop only.
const NEUTRAL: [&str; 8] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "proxy-authorization",
    "proxy-connection",
    "keep-alive",
    "sec-websocket-protocol",
    crate::model::probe::Websocket::HOLD_HEADER,
];
/// Headers that are listed at most.
const MOST: usize = 12;

/// The facts that the far side's receipt adds.
pub(super) fn facts(view: &View) -> Vec<(Fact, Value)> {
    let mut facts = Vec::new();
    if let Some(source) = translated(view) {
        facts.push((Fact::SeenAs, source.into()));
    }
    let Some(receipt) = with_token(view) else { return facts };
    if view.number(Fact::RequestBodyWanted).is_some() {
        facts.push((Fact::ReceivedThere, receipt.received_bytes.into()));
    }
    let Some(headers) = Headers::of(receipt) else { return facts };
    for (fact, list) in [(Fact::HeadersAdded, headers.added), (Fact::HeadersRemoved, headers.removed)] {
        if !list.is_empty() {
            facts.push((fact, list.into()));
        }
    }
    facts
}

fn with_token<'a>(view: &View<'a>) -> Option<&'a Receipt> {
    view.receipt().filter(|(tie, _)| *tie == Tie::Token).map(|(_, receipt)| receipt)
}

/// The source as the far side saw it, where that is not the address that this side spoke from.
fn translated(view: &View) -> Option<String> {
    if view.through_proxy() {
        return None;
    }
    let received = view.receipt().map(|(_, receipt)| address(&receipt.source));
    let (local, source) = (address(view.text(Fact::LocalAddress)?)?, received.unwrap_or(view.trail.seen_as)?);
    let same = local.port() == source.port() && (local.ip().is_unspecified() || local.ip() == source.ip());
    (!same).then(|| source.to_string())
}

/// How the headers that arrived differ from those that were sent.
struct Headers {
    added: Vec<String>,
    removed: Vec<String>,
}

impl Headers {
    fn of(receipt: &Receipt) -> Option<Self> {
        let (_, sent) = SENT.iter().find(|(protocol, _)| protocol.word() == receipt.protocol)?;
        if receipt.headers.is_empty() {
            return None;
        }
        let came = |name: &str| receipt.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let known = |name: &str| sent.iter().chain(&NEUTRAL).any(|other| other.eq_ignore_ascii_case(name));
        let added = receipt.headers.iter().filter(|(name, _)| !known(name));
        Some(Self {
            added: added.take(MOST).map(|(name, value)| format!("{name}: {value}")).collect(),
            removed: sent.iter().filter(|name| !came(name)).map(|name| (*name).to_owned()).collect(),
        })
    }
}

/// What the changes mean for a conversation that worked.
pub(super) fn judge(view: &View) -> Option<Judgement> {
    let receipt = with_token(view);
    if let Some(judgement) = receipt.and_then(|receipt| altered(view, receipt)) {
        return Some(judgement);
    }
    let headers = receipt.and_then(Headers::of);
    let added = headers.map(|headers| headers.added).filter(|added| !added.is_empty() && !view.through_proxy());
    let source = translated(view)
        .map(|source| format!(" The far side saw it come from {source}: addresses are translated on the way."));
    let proxy = added
        .map(|added| format!(" A proxy on the way that nobody configured handled it (it added {}).", added.join("; ")));
    let remarks: String = source.into_iter().chain(proxy).collect();
    // Judged twice, it is said once.
    let new = !remarks.is_empty() && !view.outcome.sentence.ends_with(&remarks);
    new.then(|| Judgement { sentence: format!("{}{remarks}", view.outcome.sentence), ..view.again() })
}

fn altered(view: &View, receipt: &Receipt) -> Option<Judgement> {
    let target = view.target();
    let exempt = || format!("Exempt {target} from the proxy or filter on the way that rewrites HTTP, or use HTTPS.");
    let sent = view.number(Fact::RequestBodyBytes).unwrap_or(0);
    if sent > receipt.received_bytes {
        let sentence = format!(
            "{target} answered, but of the request's body of {sent} bytes only {} arrived there.",
            receipt.received_bytes
        );
        return Some(
            Judgement::fail(Code::HttpAltered, Confidence::Proven, sentence)
                .lost(Lost::Request)
                .remedy(Who::Network, exempt()),
        );
    }
    let came = view.number(Fact::BodyBytes).unwrap_or(0);
    if receipt.protocol == Protocol::Http.word() && receipt.sent_bytes > 0 && came > receipt.sent_bytes {
        let sentence = format!(
            "{target} answered with a body of {} bytes, and {came} bytes came here: something on the way adds to pages.",
            receipt.sent_bytes
        );
        return Some(Judgement::warn(Code::HttpAltered, Confidence::Proven, sentence).remedy(Who::Network, exempt()));
    }
    let removed = Headers::of(receipt).map(|headers| headers.removed).filter(|removed| !removed.is_empty())?;
    let sentence = format!(
        "{target} answered, but the request arrived there without headers that it was sent with: {}.",
        removed.join(", ")
    );
    Some(Judgement::warn(Code::HttpAltered, Confidence::Proven, sentence).remedy(Who::Network, exempt()))
}

/// A WebSocket upgrade that was not answered as one: the receipt shows in which form it arrived.
pub(super) fn upgrade(view: &View) -> Option<Judgement> {
    let receipt = with_token(view)?;
    let target = view.target();
    let names = |name: &str, word: &str| {
        receipt.headers.iter().any(|(other, value)| {
            other.eq_ignore_ascii_case(name) && value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    };
    if receipt.headers.is_empty() {
        return None;
    }
    let stripped = |lost, sentence| {
        Judgement::new(Status::Fail, Code::WsUpgradeStripped, Confidence::Proven, sentence).lost(lost).remedy(
            Who::Network,
            format!(
                "Let the proxies and reverse proxies before {target} pass the Upgrade and Connection headers on. HTTPS usually \
                 passes where plain HTTP does not."
            ),
        )
    };
    if !(names("upgrade", "websocket") && names("connection", "upgrade")) {
        let sentence = format!(
            "The WebSocket upgrade to {target} arrived there as an ordinary request: something on the way removed the Upgrade headers."
        );
        return Some(stripped(Lost::Request, sentence));
    }
    let switched = receipt.asked.as_deref().is_some_and(|asked| asked.ends_with(" 101"));
    switched.then(|| {
        let sentence = format!(
            "The WebSocket upgrade to {target} arrived there and was accepted, but another answer came here: something on the way \
             changed it."
        );
        stripped(Lost::Reply, sentence)
    })
}
