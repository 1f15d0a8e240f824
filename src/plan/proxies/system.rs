//! The operating system's proxy settings, as Windows writes them: `host:port` or `http=host:port;https=…`, exceptions with
//! `*` and `<local>`.

use super::Said;
use crate::model::ask::{Proxy, ProxyAuth, ProxyOrigin, SystemProxy};

/// Asks each setting until one names a proxy; every one is listed.
pub(super) fn ask(settings: &[SystemProxy], scheme: &str, host: &str, said: &mut Said) {
    for setting in settings {
        said.sources.push(line(setting));
        if said.proxy.is_some() {
            continue;
        }
        let Some(proxy) = setting.proxy.as_deref().and_then(|list| proxy_for(list, scheme)) else { continue };
        said.proxy = Some(proxy);
        if let Some(list) = &setting.exceptions {
            said.except(&setting.name, excepted(list, host), host);
        }
    }
}

/// One setting, for people.
pub(super) fn line(setting: &SystemProxy) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.push(setting.proxy.as_deref().map_or_else(|| "no proxy".to_owned(), without_account));
    parts.extend(setting.exceptions.as_ref().map(|list| format!("exceptions {list}")));
    parts.extend(setting.script.as_ref().map(|script| format!("script {} (not evaluated)", without_account(script))));
    if setting.searches {
        parts.push("automatic detection (not evaluated)".to_owned());
    }
    format!("system {}: {}", setting.name, parts.join("; "))
}

/// Whatever stands before an `@` may be a password.
fn without_account(list: &str) -> String {
    let places = list.split(';').map(|place| match place.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => place.to_owned(),
    });
    places.collect::<Vec<_>>().join(";")
}

fn proxy_for(list: &str, scheme: &str) -> Option<Proxy> {
    let places = || list.split([';', ' ']).map(str::trim).filter(|place| !place.is_empty());
    let own = places().find_map(|place| place.strip_prefix(scheme)?.strip_prefix('='));
    let place = own.or_else(|| places().find(|place| !place.contains('=')))?;
    let place = place.strip_prefix("http://").unwrap_or(place).trim_end_matches('/');
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (place, 80),
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let usable = !host.is_empty() && !host.contains(['/', '@']);
    usable.then_some(Proxy { host, port, auth: ProxyAuth::None, account: None, origin: ProxyOrigin::System })
}

fn excepted(list: &str, host: &str) -> Option<String> {
    let names = |entry: &&str| match *entry {
        "<local>" => !host.contains(['.', ':']),
        entry => matches(entry.split_once("://").map_or(entry, |(_, rest)| rest), host),
    };
    list.split([';', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).find(names).map(str::to_owned)
}

/// Whether a host is what a pattern with `*` describes, cases aside.
fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| host.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
