//! Fills in what a check leaves open, from the endpoint's key of the same name and then from the protocol's default.

use std::time::Duration;

use super::proxies::Said;
use super::{Choice, PlannedProbe, Untested, View};
use crate::model::ask::{Ask, Proxy, ProxyOrigin, Route, host_port};
use crate::model::code::Code;
use crate::model::flow::{Flow, Role};
use crate::model::probe::Probe;
use crate::model::token::Token;
use crate::profile::{Endpoint, PortRule, ProxySetting};

impl View<'_> {
    /// Why this run does not test the flow; nothing where it does.
    pub(super) fn untested(&self, sides: &[Role]) -> Option<Untested> {
        let (code, sentence) = self.reason(sides)?;
        let port = Some(self.port());
        Some(Untested { flow: self.flow(), host: self.endpoint.host.clone(), port, code, sentence })
    }

    fn reason(&self, sides: &[Role]) -> Option<(Code, String)> {
        let (check, endpoint) = (self.check, self.endpoint);
        if check.from == check.to && !self.is_parent() {
            let sentence = format!(
                "No {} has a parent in the profile; where one does, say so: --set NAME.parent={}",
                check.to, endpoint.name
            );
            return Some((Code::Ok, sentence));
        }
        if endpoint.host.is_none() {
            let sentence = format!(
                "The profile names no host for `{0}`; where there is one, name it: --set {0}.host=NAME",
                endpoint.name
            );
            return Some((Code::NotTestableFromHere, sentence));
        }
        if !check.when.holds(endpoint) {
            return Some((Code::Ok, check.when.otherwise.clone()));
        }
        if !sides.contains(&check.from) {
            let sentence = format!("Opened by the {0}: run this check there, with `--side {0}`.", check.from);
            return Some((Code::NotTestableFromHere, sentence));
        }
        None
    }

    fn is_parent(&self) -> bool {
        self.profile.endpoints.iter().any(|child| child.parent.as_deref() == Some(self.endpoint.name.as_str()))
    }

    /// The probe with everything settled.
    pub(super) fn probe(&self) -> PlannedProbe {
        let (check, endpoint) = (self.check, self.endpoint);
        let settings = &self.profile.settings;
        let probe = filled_in(&check.probe, endpoint);
        let host = endpoint.host.clone().unwrap_or_default();
        let budget = check.timeout.map_or_else(|| settings.timeout.0 + hold(&probe), |timeout| timeout.0);
        let (route, choice) = self.route(&probe, &host);
        let ask = Ask {
            route,
            probe,
            host,
            port: self.port(),
            tls: endpoint.tls.clone(),
            token: self.token(),
            source: self.source(),
            largest_segment: None,
        };
        PlannedProbe {
            flow: self.flow(),
            tested_from: check.from.clone(),
            ask,
            choice,
            port_found_by: None,
            rule: self.rule(),
            budget,
            attempts: check.attempts.unwrap_or(settings.attempts).max(1),
        }
    }

    fn token(&self) -> Token {
        let (check, endpoint) = (self.check, self.endpoint);
        let derive = |word| Token::derive(word, &check.id, &check.from, &check.to, &endpoint.name);
        self.surroundings.word.map_or_else(Token::random, derive)
    }

    fn source(&self) -> Option<std::net::IpAddr> {
        let mut from = self.profile.endpoints.iter().filter(|endpoint| endpoint.role == self.check.from.as_str());
        from.find_map(|endpoint| endpoint.source)
    }

    fn flow(&self) -> Flow {
        let check = self.check;
        Flow {
            check: check.id.clone(),
            title: check.title.clone(),
            task: check.task.clone(),
            rank: check.rank,
            from: check.from.clone(),
            to: check.to.clone(),
            endpoint: self.endpoint.name.clone(),
            carries: check.carries,
            transport: check.transport,
            expect: check.expect,
            remedy: with_port(&self.rule(), self.port()),
            source: check.source.clone(),
        }
    }

    /// The check's remedy for this endpoint, with `{port}` still open.
    fn rule(&self) -> String {
        self.check
            .remedy
            .replace("{host}", self.endpoint.host.as_deref().unwrap_or(&self.endpoint.name))
            .replace("{from}", self.check.from.as_str())
            .replace("{to}", self.check.to.as_str())
    }

    fn port(&self) -> u16 {
        port(&self.check.port, &self.check.probe, self.endpoint)
    }

    /// The way to the target, and how it was settled.
    fn route(&self, probe: &Probe, host: &str) -> (Route, Choice) {
        if !probe.protocol().takes_proxy() {
            return (Route::Direct, Choice::default());
        }
        let scheme = if https(probe) { "https" } else { "http" };
        let machine = self.surroundings.proxies;
        let beside = || machine.beside(scheme, host, self.port());
        match &self.endpoint.proxy {
            ProxySetting::System => self.route_of_machine(machine.of(scheme, host, self.port())),
            ProxySetting::None => {
                let said = beside();
                if said.sources.is_empty() {
                    return (Route::Direct, Choice::default());
                }
                let other = said.proxy.map(Route::Proxy);
                (Route::Direct, by_profile("none: what the machine says is not used", said.sources, other))
            }
            ProxySetting::At { host, port } => {
                let place = format!("http://{}", host_port(host, *port));
                let proxy = Proxy {
                    host: host.clone(),
                    port: *port,
                    auth: self.endpoint.proxy_auth,
                    account: self.endpoint.proxy_account.clone(),
                    origin: ProxyOrigin::Profile,
                };
                (Route::Proxy(proxy), by_profile(&place, beside().sources, Some(Route::Direct)))
            }
        }
    }

    fn route_of_machine(&self, said: Said) -> (Route, Choice) {
        let proxy = said.proxy.map(|proxy| match &self.endpoint.proxy_account {
            Some(account) => Proxy { auth: self.endpoint.proxy_auth, account: Some(account.clone()), ..proxy },
            None => proxy,
        });
        let decided = proxy.as_ref().map(|proxy| proxy.origin);
        let (route, other) = match proxy {
            None => (Route::Direct, None),
            Some(proxy) if said.exempt => (Route::Direct, Some(Route::Proxy(proxy))),
            Some(proxy) => (Route::Proxy(proxy), Some(Route::Direct)),
        };
        (route, Choice { sources: said.sources, decided, exception: said.exception, other })
    }
}

/// A choice that the profile made.
fn by_profile(setting: &str, machine: Vec<String>, other: Option<Route>) -> Choice {
    let sources = std::iter::once(format!("profile: {setting}")).chain(machine).collect();
    Choice { sources, decided: Some(ProxyOrigin::Profile), exception: None, other }
}

/// A rule with its port filled in.
pub(super) fn with_port(rule: &str, port: u16) -> String {
    rule.replace("{port}", &port.to_string())
}

/// The port of a check towards an endpoint, before SQL Browser is asked.
pub(super) fn port(rule: &PortRule, probe: &Probe, endpoint: &Endpoint) -> u16 {
    let set = rule.setting.as_deref().and_then(|key| endpoint.port(key));
    let scheme = if https(&filled_in(probe, endpoint)) { 443 } else { 80 };
    set.or(rule.default).unwrap_or(scheme)
}

fn https(probe: &Probe) -> bool {
    match probe {
        Probe::Http(http) => http.https == Some(true),
        Probe::Websocket(websocket) => websocket.https == Some(true),
        _ => false,
    }
}

/// The time that a check spends on purpose, on top of what it may take otherwise.
fn hold(probe: &Probe) -> Duration {
    match probe {
        Probe::Websocket(websocket) => websocket.hold.unwrap_or_default().0,
        _ => Duration::ZERO,
    }
}

/// The check's probe, with what it leaves open taken from the endpoint.
fn filled_in(probe: &Probe, endpoint: &Endpoint) -> Probe {
    let mut probe = probe.clone();
    match &mut probe {
        Probe::Http(http) => http.https = http.https.or(endpoint.https),
        Probe::Websocket(websocket) => websocket.https = websocket.https.or(endpoint.https),
        Probe::Tcp(_) => {}
        Probe::Sql(sql) => {
            sql.encryption = sql.encryption.or(endpoint.encryption);
            sql.instance = sql.instance.take().or_else(|| endpoint.instance.clone());
            sql.database = sql.database.take().or_else(|| endpoint.database.clone());
            sql.account.clone_from(&endpoint.account);
        }
        Probe::SqlBrowser(browser) => {
            browser.instance = browser.instance.take().or_else(|| endpoint.instance.clone());
        }
        Probe::Smb(smb) => {
            smb.share = smb.share.take().or_else(|| endpoint.share.clone());
            smb.account.clone_from(&endpoint.account);
        }
        Probe::Tftp(tftp) => tftp.file = tftp.file.take().or_else(|| endpoint.file.clone()),
    }
    probe
}
