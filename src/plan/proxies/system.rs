//! The operating system's proxy settings, as Windows writes them: `host:port` or `http=host:port;https=…`, exceptions with
//! `*` and `<local>`.

use super::Said;
use crate::model::ask::{Chosen, Proxy, ProxyAuth, ProxyOrigin, RunScript, SystemProxy};

/// What the settings are asked about.
pub(super) struct Question<'a> {
    pub scheme: &'a str,
    pub host: &'a str,
    pub url: &'a str,
    /// Runs scripts, where they are to be run.
    pub run_script: Option<RunScript>,
}

/// Asks each setting until one decides; every one is listed. A setting's script stands before its list, as in the system.
pub(super) fn ask(settings: &[SystemProxy], question: &Question, said: &mut Said) {
    let mut settled = false;
    for setting in settings {
        if settled {
            said.sources.push(line(setting));
            continue;
        }
        let chosen = run(setting, question);
        said.sources.push(line(setting) + &chosen.as_ref().map_or_else(String::new, told));
        settled = match chosen {
            Some(Chosen::Direct) => {
                let way = format!("the script of {} sends {} the direct way", setting.name, question.host);
                said.exception = Some(way);
                true
            }
            Some(Chosen::Proxies(list)) => {
                said.proxy = list.split(';').find_map(|place| proxy_for(place, question.scheme));
                said.proxy.is_some()
            }
            Some(Chosen::Unknown(_)) | None => by_list(setting, question, said),
        };
    }
}

fn by_list(setting: &SystemProxy, question: &Question, said: &mut Said) -> bool {
    let Some(proxy) = setting.proxy.as_deref().and_then(|list| proxy_for(list, question.scheme)) else { return false };
    said.proxy = Some(proxy);
    if let Some(list) = &setting.exceptions {
        said.except(&setting.name, excepted(list, question.host), question.host);
    }
    true
}

/// What the script of a setting says, where it has one and it can be run.
fn run(setting: &SystemProxy, question: &Question) -> Option<Chosen> {
    let scripted = setting.script.is_some() || setting.searches;
    question.run_script.filter(|_| scripted).map(|run| run(setting, question.url))
}

fn told(chosen: &Chosen) -> String {
    match chosen {
        Chosen::Direct => "; the script says: direct".to_owned(),
        Chosen::Proxies(list) => format!("; the script says: {}", without_account(list)),
        Chosen::Unknown(why) => format!("; no script decides: {why}"),
    }
}

/// One setting, for people.
pub(super) fn line(setting: &SystemProxy) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.push(setting.proxy.as_deref().map_or_else(|| "no proxy".to_owned(), without_account));
    parts.extend(setting.exceptions.as_ref().map(|list| format!("exceptions {list}")));
    parts.extend(setting.script.as_ref().map(|script| format!("script {}", without_account(script))));
    if setting.searches {
        parts.push("automatic detection".to_owned());
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
