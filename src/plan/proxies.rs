//! Proxy settings of this machine: which of them apply to a URL, which one decides, and what the exceptions say. Pure.
//!
//! Variables are asked in the order that most programs use: lower case first, the scheme's own before `ALL_PROXY`. The
//! operating system's settings are asked only where no variable names a proxy.

mod system;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Matcher;

use crate::model::ask::{Proxy, ProxyAuth, ProxyOrigin, RunScript, SystemProxy, host_port};
use crate::model::secret::{Account, SecretSource};

/// The variables that are read; one that tells a CGI program is the last.
pub const VARIABLES: [&str; 9] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", CGI];
/// Set in CGI programs, where any visitor sets `HTTP_PROXY` with a `Proxy` header.
const CGI: &str = "REQUEST_METHOD";
/// How much of a list is shown.
const SHOWN: usize = 200;

/// Every proxy setting of this machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The variables that are set, by name.
    variables: Vec<(String, String)>,
    system: Vec<SystemProxy>,
    run_script: Option<RunScript>,
}

/// What the machine's settings say of one URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Every setting that bears on it, one line for each, in the order in which they are asked.
    pub sources: Vec<String>,
    /// The proxy that is named for it, exceptions left aside.
    pub proxy: Option<Proxy>,
    /// What the exceptions say of its host, where there are any.
    pub exception: Option<String>,
    /// Whether an exception sends it the direct way.
    pub exempt: bool,
}

impl Machine {
    /// `variables` are those of [`VARIABLES`] that are set; empty ones count as not set.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>, system: Vec<SystemProxy>) -> Self {
        let mut known: Vec<(String, String)> = Vec::new();
        for (name, value) in variables.into_iter().filter(|(_, value)| !value.trim().is_empty()) {
            // Where the system does not tell cases apart, a variable appears under both of its names.
            if !known.iter().any(|(other, same)| other.eq_ignore_ascii_case(&name) && *same == value) {
                known.push((name, value));
            }
        }
        Self { variables: known, system, run_script: None }
    }

    /// The same settings, whose scripts can be run.
    #[must_use]
    pub fn running(self, run_script: Option<RunScript>) -> Self {
        Self { run_script, ..self }
    }

    /// What the settings say of `scheme` (http or https) to a host. Scripts may take seconds.
    #[must_use]
    pub fn of(&self, scheme: &str, host: &str, port: u16) -> Said {
        self.ask(scheme, host, port, self.run_script)
    }

    /// The same where something else decides: no script is run.
    #[must_use]
    pub fn beside(&self, scheme: &str, host: &str, port: u16) -> Said {
        self.ask(scheme, host, port, None)
    }

    fn ask(&self, scheme: &str, host: &str, port: u16, run_script: Option<RunScript>) -> Said {
        let mut said = Said::default();
        for name in [&format!("{scheme}_proxy"), "all_proxy"] {
            self.named(name, &mut said);
        }
        let exceptions = self.set("no_proxy");
        for (name, value) in &exceptions {
            said.sources.push(format!("environment {name}: {}", value.chars().take(SHOWN).collect::<String>()));
        }
        if said.proxy.is_some() {
            if let Some((name, list)) = exceptions.first() {
                said.except(name, excepted(list, host, port), host);
            }
            // The system's settings are told even where a variable stands before them.
            said.sources.extend(self.system.iter().map(system::line));
        } else {
            let url = format!("{scheme}://{}/", host_port(host, port));
            system::ask(&self.system, &system::Question { scheme, host, url: &url, run_script }, &mut said);
        }
        said
    }

    /// Takes the proxy of one variable, unless there is one already.
    fn named(&self, lower: &str, said: &mut Said) {
        for (name, value) in self.set(lower) {
            let line = match parsed(value, name) {
                _ if name == "HTTP_PROXY" && !self.set("request_method").is_empty() => {
                    "not used: REQUEST_METHOD is set, as in CGI programs, where any visitor can set HTTP_PROXY"
                        .to_owned()
                }
                Err(why) => why.to_owned(),
                Ok(proxy) => {
                    let line = shown(&proxy);
                    said.proxy.get_or_insert(proxy);
                    line
                }
            };
            said.sources.push(format!("environment {name}: {line}"));
        }
    }

    /// A variable under its names, lower case first.
    fn set(&self, lower: &str) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = self
            .variables
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(lower))
            .map(|(name, value)| (name.as_str(), value.trim()))
            .collect();
        found.sort_by_key(|(name, _)| *name != lower);
        found
    }
}

impl Said {
    fn except(&mut self, list: &str, entry: Option<String>, host: &str) {
        self.exempt = entry.is_some();
        self.exception = Some(match entry {
            Some(entry) => format!("{list} exempts {host} by its entry `{entry}`: it is reached directly"),
            None => format!("{list} does not exempt {host}: it is reached through the proxy"),
        });
    }
}

/// The password in the URL of a proxy.
#[must_use]
pub fn password(url: &str) -> Option<String> {
    credentials(url).map(|(_, password)| password)
}

fn shown(proxy: &Proxy) -> String {
    let account = if proxy.account.is_some() { ", with a user and a password" } else { "" };
    format!("http://{}{account}", host_port(&proxy.host, proxy.port))
}

/// A proxy's URL, as variables hold it.
fn parsed(url: &str, variable: &str) -> Result<Proxy, &'static str> {
    const NO_URL: &str = "not understood; write http://host:port";
    let matcher = Matcher::builder().http(url).build();
    let any = hyper::Uri::from_static("http://any.invalid/");
    let found = matcher.intercept(&any).ok_or(NO_URL)?;
    if found.uri().scheme_str() != Some("http") {
        return Err("not used: only proxies that are spoken to over plain HTTP are supported");
    }
    let host = found.uri().host().filter(|host| !host.is_empty()).ok_or(NO_URL)?;
    let account = credentials(url).map(|(user, _)| Account {
        user,
        domain: None,
        password: SecretSource::ProxyUrl(variable.to_owned()),
    });
    Ok(Proxy {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: found.uri().port_u16().unwrap_or(80),
        auth: if account.is_some() { ProxyAuth::Basic } else { ProxyAuth::None },
        account,
        origin: ProxyOrigin::Environment,
    })
}

/// User and password of a proxy's URL, with `%HH` resolved.
fn credentials(url: &str) -> Option<(String, String)> {
    let matcher = Matcher::builder().http(url).build();
    let found = matcher.intercept(&hyper::Uri::from_static("http://any.invalid/"))?;
    let pair = STANDARD.decode(found.basic_auth()?.to_str().ok()?.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The entry of a list of exceptions that names the host.
fn excepted(list: &str, host: &str, port: u16) -> Option<String> {
    let url: hyper::Uri = format!("http://{}/", host_port(host, port)).parse().ok()?;
    let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    let names = |entry: &&str| {
        let place = host_of(entry, port).unwrap_or(entry);
        // The matcher takes it for names only.
        place == "*" || Matcher::builder().http("http://proxy.invalid:1").no(place).build().intercept(&url).is_none()
    };
    entries.into_iter().find(names).map(str::to_owned)
}

/// The host of an entry with this port, or with brackets; nothing for every other entry.
fn host_of(entry: &str, port: u16) -> Option<&str> {
    if let Some(inner) = entry.strip_prefix('[') {
        let (v6, rest) = inner.split_once(']')?;
        return (rest.is_empty() || rest.strip_prefix(':')?.parse() == Ok(port)).then_some(v6);
    }
    let (host, its_port) = entry.split_once(':').filter(|(host, _)| !host.is_empty())?;
    (its_port.parse() == Ok(port)).then_some(host)
}

#[cfg(test)]
mod tests;
