//! Checks: the YAML of one documented flow, with what a profile changes in it, into a [`Check`].

use std::sync::Arc;

use super::catalog::{Catalog, From, Kind};
use super::layers::Choice;
use super::node::Node;
use super::problem::Problems;
use super::suggest::did_you_mean;
use super::syntax::{CheckFile, PortFile, WhenFile, is_port_key};
use super::{Check, Condition, PortRule, RoleInfo, endpoint, schema, shape, typed, validate, yaml};
use crate::model::flow::Role;
use crate::model::probe::Probe;
use crate::model::span::Span;

/// What a remedy may have filled in.
const PLACEHOLDERS: [&str; 4] = ["port", "host", "from", "to"];

/// What checks are held against.
pub(super) struct Known<'a> {
    pub catalog: &'a Catalog,
    /// The profile's roles; none where a check is looked at by itself.
    pub roles: Option<&'a [RoleInfo]>,
    /// Every id that `found-by` may name.
    pub ids: &'a [String],
}

impl Known<'_> {
    /// Reads the check that a profile takes in.
    pub(super) fn chosen(&self, choice: &Choice, problems: &mut Problems) -> Option<Check> {
        let base = match self.catalog.find(Kind::Check, &choice.id, From::Anywhere) {
            None => None,
            Some(Err(problem)) => return tell(problems, problem),
            Some(Ok(source)) => match yaml::read(&Arc::new(source)) {
                Err(found) => {
                    problems.extend(found);
                    return None;
                }
                Ok(node) => Some(node),
            },
        };
        if base.is_none() && !choice.changes.as_ref().is_some_and(is_whole) {
            return tell(problems, self.no_such_check(choice));
        }
        let node = match (base, choice.changes.clone()) {
            (Some(base), None) => base,
            (Some(base), Some(changes)) => {
                let place = base.place.clone();
                Node::new(place, base.overlaid(changes).content)
            }
            (None, changes) => changes?,
        };
        self.check(&choice.id, node, problems)
    }

    fn no_such_check(&self, choice: &Choice) -> super::problem::Problem {
        let near = did_you_mean(&choice.id, self.ids.iter().filter(|id| **id != choice.id).map(String::as_str));
        let remedy = match choice.changes {
            Some(_) => {
                "`bothways list` shows the checks; a new one needs title, task, from, to, transport, port, probe, remedy and source"
            }
            None => "`bothways list` shows the checks",
        };
        choice.place.problem(format!("there is no check `{}`{near}", choice.id), remedy)
    }

    /// Reads a whole check.
    pub(super) fn check(&self, id: &str, node: Node, problems: &mut Problems) -> Option<Check> {
        let found = shape::check(&node, &schema::CHECK);
        if !found.is_empty() {
            problems.extend(found);
            return None;
        }
        let node = node.without_nulls();
        let file: CheckFile = match typed::read(&node) {
            Ok(file) => file,
            Err(problem) => return tell(problems, problem),
        };
        let before = problems.0.len();
        self.check_roles(&node, &file, problems);
        check_protocol(&node, &file, problems);
        check_remedy(&node, &file, problems);
        check_keys(&node, file.when.as_ref(), problems);
        self.check_finder(id, &node, &file, problems);
        (problems.0.len() == before).then(|| into_check(id, file))
    }

    fn check_roles(&self, node: &Node, file: &CheckFile, problems: &mut Problems) {
        let Some(roles) = self.roles else { return };
        let names = || roles.iter().map(|known| known.role.as_str());
        for (key, role) in [("from", &file.from), ("to", &file.to)] {
            if names().all(|known| known != role) {
                let remedy = format!(
                    "write one of: {}; or name the role under `roles:`",
                    names().collect::<Vec<_>>().join(", ")
                );
                let message = format!("there is no role `{role}`{}", did_you_mean(role, names()));
                problems.push(node.place_of(&[key]).problem(message, remedy));
            }
        }
    }

    fn check_finder(&self, id: &str, node: &Node, file: &CheckFile, problems: &mut Problems) {
        let PortFile::Found(port) = &file.port else { return };
        let Some(finder) = &port.found_by else { return };
        let place = node.place_of(&["port", "found-by"]);
        if finder == id {
            problems
                .push(place.problem("a check cannot find its own port", "name another check, or remove `found-by`"));
        } else if !self.ids.contains(finder) {
            let near = did_you_mean(finder, self.ids.iter().map(String::as_str));
            let remedy = "name a check towards the same role whose answer tells the port, such as `sql-browser`";
            problems.push(place.problem(format!("there is no check `{finder}`{near}"), remedy));
        }
    }
}

fn tell<T>(problems: &mut Problems, problem: super::problem::Problem) -> Option<T> {
    problems.push(problem);
    None
}

/// Whether enough is written that a new check must be meant, not a change to a known one.
fn is_whole(changes: &Node) -> bool {
    ["from", "to", "probe"].iter().all(|key| changes.get(key).is_some())
}

fn check_protocol(node: &Node, file: &CheckFile, problems: &mut Problems) {
    let protocol = file.probe.protocol();
    if protocol.transport() != file.transport {
        let (spoken, word) = (protocol.transport(), protocol.word());
        let message = format!("`{word}` is spoken over {spoken}, not over {}", file.transport);
        let remedy = format!("write `transport: {}`", spoken.name().to_lowercase());
        problems.push(node.place_of(&["transport"]).problem(message, remedy));
    }
    let path = match &file.probe {
        Probe::Http(http) => &http.path,
        Probe::Websocket(websocket) => &websocket.path,
        _ => &None,
    };
    let clean = |path: &String| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
    if let Some(path) = path.as_ref().filter(|path| !clean(path)) {
        let remedy = "write the part of the URL after the host: `/`, `/service?x=1`; escape other characters as %20";
        let place = node.place_of(&["probe", protocol.word(), "path"]);
        problems.push(place.problem(format!("`{}` is not a path", path.escape_debug()), remedy));
    }
    if let Some(timeout) = file.timeout.filter(|timeout| *timeout < Span::LEAST_WAIT) {
        problems.push(validate::too_short(node.place_of(&["timeout"]), timeout));
    }
    if let (Probe::Websocket(websocket), Some(timeout)) = (&file.probe, file.timeout)
        && websocket.hold.is_some_and(|hold| hold >= timeout)
    {
        let remedy = "give the check more time than it holds the connection, or leave `timeout` out";
        let message = format!("the check is to hold the connection for longer than its `timeout` of {timeout}");
        problems.push(node.place_of(&["timeout"]).problem(message, remedy));
    }
}

fn check_remedy(node: &Node, file: &CheckFile, problems: &mut Problems) {
    for rest in file.remedy.split('{').skip(1) {
        let name = rest.split('}').next().unwrap_or_default();
        if !rest.contains('}') || !PLACEHOLDERS.contains(&name) {
            let message = format!("nothing can be filled in for `{{{}`", rest.chars().take(20).collect::<String>());
            let near = did_you_mean(name, PLACEHOLDERS);
            let remedy = "what can be filled in: {port}, {host}, {from}, {to}";
            problems.push(node.place_of(&["remedy"]).problem(message + &near, remedy));
        }
    }
}

/// Whether the keys that `when` names are keys of endpoints.
fn check_keys(node: &Node, when: Option<&WhenFile>, problems: &mut Problems) {
    if when.is_none() {
        return;
    }
    let known = |key: &str| endpoint::KEYS.contains(&key) || is_port_key(key);
    let listed = ["set", "unset"].into_iter().filter_map(|list| node.get("when")?.get(list)).flat_map(Node::items);
    let listed = listed.filter_map(|item| Some((item.text()?, &item.place)));
    let equals = node.get("when").and_then(|when| when.get("equals")).map(Node::entries).unwrap_or_default();
    for (key, place) in listed.chain(equals.iter().map(|entry| (entry.key.as_str(), &entry.place))) {
        if !known(key) {
            let near = did_you_mean(key, endpoint::KEYS.iter().copied().chain(["port", "browser-port"]));
            let remedy = format!("use a port's key, or one of: {}", endpoint::KEYS.join(", "));
            problems.push(place.problem(format!("endpoints have no key `{key}`{near}"), remedy));
        }
    }
}

fn into_check(id: &str, file: CheckFile) -> Check {
    let port = match file.port {
        PortFile::Fixed(port) => PortRule { default: Some(port), ..PortRule::default() },
        PortFile::Found(port) => PortRule { setting: port.setting, found_by: port.found_by, default: port.default },
    };
    let when = file.when.map(|when| Condition {
        set: when.set.unwrap_or_default(),
        unset: when.unset.unwrap_or_default(),
        equals: when.equals.unwrap_or_default().0,
        otherwise: when.otherwise,
    });
    Check {
        id: id.to_owned(),
        title: file.title,
        task: file.task,
        rank: file.rank.unwrap_or(1),
        from: Role(file.from),
        to: Role(file.to),
        carries: file.carries,
        transport: file.transport,
        port,
        when: when.unwrap_or_default(),
        probe: file.probe,
        expect: file.expect.unwrap_or_default(),
        timeout: file.timeout,
        attempts: file.attempts,
        remedy: file.remedy,
        source: file.source,
        traffic: file.traffic.unwrap_or_default(),
    }
}
