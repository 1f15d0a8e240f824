//! Endpoints: the tree under `endpoints:` into hosts that play roles.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::host::{self, Wrong};
use super::node::{Content, Entry, Node};
use super::problem::{Place, Problem, Problems};
use super::suggest::did_you_mean;
use super::syntax::{EndpointFile, is_port_key};
use super::{Endpoint, EndpointKind, ProxySetting, RoleInfo, typed};
use crate::model::ask::ProxyAuth;
use crate::model::secret::{Account, SecretSource};

/// How far up a line of parents is followed when looking for a circle.
const LONGEST_LINE: usize = 100;

/// Reads all endpoints; a written one with `hosts` becomes several, named `NAME/HOST`.
pub(super) fn endpoints(root: &Node, roles: &[RoleInfo], problems: &mut Problems) -> Vec<Endpoint> {
    let entries = root.get("endpoints").map(Node::entries).unwrap_or_default();
    let mut endpoints = Vec::new();
    for entry in entries {
        if problems.is_full() {
            return endpoints;
        }
        match read(entry) {
            Ok((file, ports)) => endpoints.extend(Binding { entry, roles, problems }.bind(file, ports)),
            Err(problem) => problems.push(problem),
        }
    }
    adopt(entries, &mut endpoints, problems);
    endpoints
}

type Ports = Vec<(String, u16)>;

/// Splits the ports, whose keys are free, from the keys that are fixed.
fn read(entry: &Entry) -> Result<(EndpointFile, Ports), Problem> {
    let (ports, rest): (Vec<&Entry>, Vec<&Entry>) = entry.value.entries().iter().partition(|e| is_port_key(&e.key));
    let rest = Node::new(entry.value.place.clone(), Content::Map(rest.into_iter().cloned().collect()));
    let ports = ports.into_iter().map(|port| Ok((port.key.clone(), typed::read(&port.value)?)));
    Ok((typed::read(&rest)?, ports.collect::<Result<_, _>>()?))
}

/// One written endpoint on its way.
struct Binding<'a> {
    entry: &'a Entry,
    roles: &'a [RoleInfo],
    problems: &'a mut Problems,
}

impl Binding<'_> {
    fn bind(mut self, file: EndpointFile, ports: Ports) -> Vec<Endpoint> {
        let (host, hosts) = (file.host.clone(), file.hosts.clone());
        let one = self.endpoint(file, ports);
        match (host, hosts) {
            (Some(_), Some(_)) => {
                let remedy = "keep `host` for one host, or `hosts` for several";
                self.tell("hosts", "`host` and `hosts` are both written", remedy);
                Vec::new()
            }
            (Some(host), None) => {
                let host = host::host(&host).map_err(|wrong| self.tell_wrong("host", wrong)).ok();
                vec![Endpoint { host, ..one }]
            }
            (None, Some(hosts)) => self.several(&one, &hosts),
            (None, None) => vec![one],
        }
    }

    fn several(&mut self, one: &Endpoint, hosts: &[String]) -> Vec<Endpoint> {
        let items = self.entry.value.get("hosts").map(Node::items).unwrap_or_default();
        let (mut endpoints, mut names) = (Vec::new(), HashSet::new());
        for (written, item) in hosts.iter().zip(items) {
            let name = format!("{}/{written}", one.name);
            match host::host_and_port(written) {
                Err((message, remedy)) => self.problems.push(item.place.problem(message, remedy)),
                Ok(_) if !names.insert(name.clone()) => {
                    self.problems
                        .push(item.place.problem(format!("`{written}` is listed twice"), "remove one of the two"));
                }
                Ok((host, port)) => {
                    let mut ports = one.ports.clone();
                    if let Some(port) = port {
                        ports.retain(|(key, _)| key != "port");
                        ports.push(("port".to_owned(), port));
                    }
                    endpoints.push(Endpoint { name, host: Some(host), ports, ..one.clone() });
                }
            }
        }
        endpoints
    }

    fn endpoint(&mut self, file: EndpointFile, ports: Ports) -> Endpoint {
        let role = self.role(file.role.as_deref());
        let proxy = self.proxy(file.proxy.as_deref());
        let proxy_account = self.account(["proxy-user", "proxy-password"], file.proxy_user, None, file.proxy_password);
        let proxy_auth = file.proxy_auth.unwrap_or_default();
        self.check_proxy(&proxy, proxy_auth, proxy_account.is_some());
        let account = self.account(["user", "password"], file.user, file.domain, file.password);
        let mut tls = file.tls.unwrap_or_default();
        tls.ca = tls.ca.map(|path| beside(self.place(&["tls", "ca"]), &path));
        Endpoint {
            name: self.entry.key.clone(),
            role,
            host: None,
            priority: file.priority,
            source: file.source,
            ports,
            // A host that offers files over HTTP does so over TLS unless it is said not to.
            https: file.https.or((file.kind == Some(EndpointKind::Http)).then_some(true)),
            proxy,
            proxy_auth,
            proxy_account,
            tls,
            instance: file.instance,
            database: file.database,
            encryption: file.encryption,
            share: file.share,
            file: file.file,
            account,
            parent: file.parent,
            parent_of: Vec::new(),
            kind: file.kind,
        }
    }

    fn role(&mut self, written: Option<&str>) -> String {
        let name = &self.entry.key;
        let role = written.unwrap_or(name).to_owned();
        if self.roles.is_empty() || self.roles.iter().any(|known| known.role.as_str() == role) {
            return role;
        }
        let roles: Vec<&str> = self.roles.iter().map(|known| known.role.as_str()).collect();
        let near = did_you_mean(&role, roles.iter().copied());
        let problem = if written.is_some() {
            let remedy = format!("write one of: {}", roles.join(", "));
            self.place(&["role"]).problem(format!("there is no role `{role}`{near}"), remedy)
        } else {
            let remedy = format!("add `role:` with one of: {}", roles.join(", "));
            let message = format!("the endpoint `{name}` has no role, and there is none of that name{near}");
            self.entry.place.problem(message, remedy)
        };
        self.problems.push(problem);
        role
    }

    fn proxy(&mut self, written: Option<&str>) -> ProxySetting {
        let read = written.map(host::proxy).transpose();
        read.map_err(|wrong| self.tell_wrong("proxy", wrong)).ok().flatten().unwrap_or_default()
    }

    fn check_proxy(&mut self, proxy: &ProxySetting, auth: ProxyAuth, account: bool) {
        if account && auth == ProxyAuth::None {
            self.tell(
                "proxy-user",
                "`proxy-user` is given, but not how to prove it",
                "add `proxy-auth: basic`, `digest` or `ntlm`",
            );
        }
        if !account && auth != ProxyAuth::None {
            let remedy = "add `proxy-user:` and `proxy-password: { env: NAME }`";
            self.tell("proxy-auth", "`proxy-auth` is given without a user", remedy);
        }
        if *proxy == ProxySetting::None && auth != ProxyAuth::None && account {
            self.tell("proxy-auth", "`proxy-auth` is given without a proxy", "add `proxy: http://host:port`");
        }
    }

    /// The account of a user's and a password's key; both or none must be written.
    fn account(
        &mut self,
        [user_key, password_key]: [&str; 2],
        user: Option<String>,
        domain: Option<String>,
        password: Option<SecretSource>,
    ) -> Option<Account> {
        if let (Some(_), None) = (&domain, &user) {
            self.tell("domain", format!("`domain` is given without `{user_key}`"), format!("add `{user_key}:`"));
        }
        let (user, password) = match (user, password) {
            (Some(user), Some(password)) => (user, password),
            (None, None) => return None,
            (Some(_), None) => {
                let remedy = format!("add `{password_key}: {{ env: NAME }}`, or remove `{user_key}`");
                self.tell(user_key, format!("`{user_key}` is given without `{password_key}`"), remedy);
                return None;
            }
            (None, Some(_)) => {
                let remedy = format!("add `{user_key}:`, or remove `{password_key}`");
                self.tell(password_key, format!("`{password_key}` is given without `{user_key}`"), remedy);
                return None;
            }
        };
        let (domain, user) = match (domain, user.split_once('\\')) {
            (Some(_), Some((within, _))) => {
                let remedy = format!("keep `domain`, or `{within}\\` before the user");
                self.tell("domain", "the domain is written twice", remedy);
                return None;
            }
            (None, Some((domain, user))) => (Some(domain.to_owned()), user.to_owned()),
            (domain, None) => (domain, user),
        };
        let place = self.place(&[password_key]);
        let password = match password {
            SecretSource::File(path) => SecretSource::File(beside(place, &PathBuf::from(path)).display().to_string()),
            other => other,
        };
        Some(Account { user, domain, password })
    }

    fn place(&self, path: &[&str]) -> &Place {
        self.entry.value.place_of(path)
    }

    fn tell(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let place = self.entry.value.entry(key).map_or(&self.entry.place, |entry| &entry.place);
        self.problems.push(place.problem(message, remedy));
    }

    fn tell_wrong(&mut self, key: &str, (message, remedy): Wrong) {
        let problem = self.place(&[key]).problem(message, remedy);
        self.problems.push(problem);
    }
}

/// A path as meant by the file that it is written in.
fn beside(place: &Place, path: &std::path::Path) -> PathBuf {
    place.source.folder.as_ref().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

/// Tells parents of their children, once all endpoints are known.
fn adopt(entries: &[Entry], endpoints: &mut [Endpoint], problems: &mut Problems) {
    let parents: HashMap<String, (String, Option<String>)> =
        endpoints.iter().map(|known| (known.name.clone(), (known.role.clone(), known.parent.clone()))).collect();
    let mut children: HashMap<String, Vec<String>> = HashMap::new();
    for child in endpoints.iter().filter(|known| known.parent.is_some()) {
        match refusal(child, &parents) {
            None => children.entry(child.parent.clone().unwrap_or_default()).or_default().push(child.name.clone()),
            Some((message, remedy)) => {
                let written = child.name.split('/').next().unwrap_or_default();
                if let Some(entry) = entries.iter().find(|entry| entry.key == written) {
                    problems.push(entry.value.place_of(&["parent"]).problem(message, remedy));
                }
            }
        }
    }
    for parent in endpoints {
        parent.parent_of = children.remove(&parent.name).unwrap_or_default();
    }
}

/// Why an endpoint may not have the parent that it names.
fn refusal(child: &Endpoint, known: &HashMap<String, (String, Option<String>)>) -> Option<Wrong> {
    let parent = child.parent.as_ref()?;
    let same_role = || {
        let mut names: Vec<&str> = known
            .iter()
            .filter(|(name, (role, _))| *role == child.role && **name != child.name)
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    };
    let remedy = || match same_role().as_slice() {
        [] => "remove `parent`".to_owned(),
        names => format!("write one of: {}", names.join(", ")),
    };
    match known.get(parent) {
        None => Some((format!("there is no endpoint `{parent}`{}", did_you_mean(parent, same_role())), remedy())),
        Some((role, _)) if *role != child.role => {
            Some((format!("`{parent}` plays the role `{role}`, not `{}`", child.role), remedy()))
        }
        Some(_) if is_own_ancestor(&child.name, known) => {
            let message = format!("`{}` is its own parent in the end", child.name);
            Some((message, "remove one `parent` of the circle".to_owned()))
        }
        Some(_) => None,
    }
}

fn is_own_ancestor(name: &str, known: &HashMap<String, (String, Option<String>)>) -> bool {
    let mut above = name;
    for _ in 0..LONGEST_LINE {
        match known.get(above).and_then(|(_, parent)| parent.as_deref()) {
            Some(parent) if parent == name => return true,
            Some(parent) => above = parent,
            None => return false,
        }
    }
    false
}
