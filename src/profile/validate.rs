//! Layers that have the right form into a [`Profile`], with every problem of meaning at once.

use super::catalog::Catalog;
use super::layers::Stacked;
use super::node::{Entry, Node};
use super::problem::{Place, Problem, Problems};
use super::rule::Known;
use super::suggest::did_you_mean;
use super::syntax::{SettingsFile, is_port_key};
use super::{Check, Profile, RoleInfo, Settings, bind, typed};
use crate::model::flow::Role;
use crate::model::probe::Probe;
use crate::model::span::Span;

/// What one check may take where nothing says otherwise. Failures that the system reports late (a host that is not
/// there: 3.1 s on Linux) must fit in.
const TIMEOUT: Span = Span::seconds(5);
/// What a run may take at least where nothing says otherwise.
const DEADLINE: Span = Span::seconds(30);
const ATTEMPTS: u32 = 2;

/// Makes the profile; it is of use only if no problem was added.
pub(super) fn profile(stacked: &Stacked, catalog: &Catalog, problems: &mut Problems) -> Option<Profile> {
    let root = &stacked.root;
    let roles = roles(root, problems);
    let ids = ids(stacked, catalog);
    let known = Known { catalog, roles: Some(&roles), ids: &ids };
    let (mut checks, mut left_out) = (Vec::new(), Vec::new());
    for choice in &stacked.choices {
        if problems.is_full() {
            break;
        }
        let check = known.chosen(choice, problems);
        if choice.taken { &mut checks } else { &mut left_out }.extend(check);
    }
    if stacked.choices.is_empty() {
        let remedy = "write `extends: miradore`, or name checks under `checks:`";
        problems.push(root.place.problem("the profile has no checks", remedy));
    }
    let endpoints = bind::endpoints(root, &roles, problems);
    unread_ports(root, &checks.iter().chain(&left_out).collect::<Vec<_>>(), problems);
    let file = match root.get("settings").map(typed::read::<SettingsFile>).transpose() {
        Ok(file) => file.unwrap_or_default(),
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let settings = settings(root, file, &mut checks, problems);
    forget_absent_finders(&mut checks);
    let title = root.get("title").and_then(Node::text).unwrap_or(&stacked.name).to_owned();
    Some(Profile { name: stacked.name.clone(), title, roles, endpoints, checks, settings })
}

fn roles(root: &Node, problems: &mut Problems) -> Vec<RoleInfo> {
    let entries = root.get("roles").map(Node::entries).unwrap_or_default();
    if entries.is_empty() {
        let remedy = "write `extends: miradore`, or name them: `roles: { client: \"Managed devices\", … }`";
        problems.push(root.place.problem("the profile has no roles", remedy));
    }
    let role = |entry: &Entry| RoleInfo {
        role: Role::new(entry.key.clone()),
        title: entry.value.text().unwrap_or(&entry.key).to_owned(),
    };
    entries.iter().map(role).collect()
}

/// The ids of all checks that can be named here.
fn ids(stacked: &Stacked, catalog: &Catalog) -> Vec<String> {
    let mut ids = catalog.check_names();
    for choice in &stacked.choices {
        if choice.changes.is_some() && !ids.contains(&choice.id) {
            ids.push(choice.id.clone());
        }
    }
    ids
}

/// Ports under keys that no check reads: most likely a typing slip, which would otherwise test the wrong port.
fn unread_ports(root: &Node, checks: &[&Check], problems: &mut Problems) {
    for Entry { key: name, value: endpoint, .. } in root.get("endpoints").map(Node::entries).unwrap_or_default() {
        let role = endpoint.get("role").and_then(Node::text).unwrap_or(name);
        let read: Vec<&str> = checks
            .iter()
            .filter(|check| check.to.as_str() == role)
            .filter_map(|check| check.port.setting.as_deref())
            .collect();
        for entry in endpoint.entries().iter().filter(|e| is_port_key(&e.key) && !read.contains(&e.key.as_str())) {
            let near = did_you_mean(&entry.key, read.iter().copied());
            let message = format!("no check towards a {role} reads `{}`{near}", entry.key);
            let mut keys = read.clone();
            keys.dedup();
            let remedy = match keys.as_slice() {
                [] => "remove it".to_owned(),
                keys => format!("remove it, or use one of: {}", keys.join(", ")),
            };
            problems.push(entry.place.problem(message, remedy));
        }
    }
}

/// The run's settings. A check that holds a connection open is given that time on top of its timeout, and a run whose
/// deadline is not said lasts as long as its longest check.
fn settings(root: &Node, file: SettingsFile, checks: &mut [Check], problems: &mut Problems) -> Settings {
    let timeout = file.timeout.unwrap_or(TIMEOUT);
    if timeout < Span::LEAST_WAIT {
        problems.push(too_short(root.place_of(&["settings", "timeout"]), timeout));
    }
    for check in checks.iter_mut().filter(|check| check.timeout.is_none()) {
        if let Probe::Websocket(websocket) = &check.probe {
            check.timeout = websocket.hold.map(|hold| Span(hold.0 + timeout.0));
        }
    }
    let longest = checks.iter().filter_map(|check| check.timeout).max().unwrap_or(timeout).max(timeout);
    if let Some(deadline) = file.deadline.filter(|deadline| *deadline < longest) {
        let message = format!("the whole run may take {deadline}, but one check alone may take {longest}");
        let place = root.place_of(&["settings", "deadline"]);
        problems.push(place.problem(message, format!("write `deadline: {longest}` or more, or leave it out")));
    }
    Settings {
        timeout,
        deadline: file.deadline.unwrap_or(DEADLINE.max(Span(longest.0 + TIMEOUT.0))),
        attempts: file.attempts.unwrap_or(ATTEMPTS),
        name_servers: file.name_servers.unwrap_or_default(),
    }
}

/// A time in which no answer can come.
pub(super) fn too_short(place: &Place, time: Span) -> Problem {
    let remedy = format!("write `{}` or more, or leave it out", Span::LEAST_WAIT);
    place.problem(format!("{time} is too short for an answer to come"), remedy)
}

/// A check that is left out finds no port.
fn forget_absent_finders(checks: &mut [Check]) {
    let present: Vec<String> = checks.iter().map(|check| check.id.clone()).collect();
    for check in checks {
        check.port.found_by = check.port.found_by.take().filter(|finder| present.contains(finder));
    }
}
