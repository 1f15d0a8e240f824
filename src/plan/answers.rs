//! Which responders stand in for the services of this side: one for each port, whatever number of checks it serves.

use super::{PlannedAnswer, settle, targets};
use crate::model::flow::Role;
use crate::model::probe::Probe;
use crate::profile::{Check, Endpoint, Profile};
use crate::responder::{self, Service};

/// The responders of the roles in `sides`, for the checks in `only` (all where it is empty).
pub(super) fn of(profile: &Profile, sides: &[Role], only: &[String]) -> Vec<PlannedAnswer> {
    let mut answers: Vec<PlannedAnswer> = Vec::new();
    let wanted = |check: &&Check| sides.contains(&check.to) && (only.is_empty() || only.contains(&check.id));
    for check in profile.checks.iter().filter(wanted) {
        for endpoint in targets(profile, check) {
            if endpoint.host.is_some() && check.when.holds(endpoint) {
                add(&mut answers, profile, check, endpoint);
            }
        }
    }
    answers
}

fn add(answers: &mut Vec<PlannedAnswer>, profile: &Profile, check: &Check, endpoint: &Endpoint) {
    let key = check.port.setting.clone().unwrap_or_else(|| "port".to_owned());
    let same = |answer: &&mut PlannedAnswer| {
        answer.endpoint == endpoint.name
            && answer.port_key == key
            && answer.service.protocol().transport() == check.transport
    };
    if let Some(answer) = answers.iter_mut().find(same) {
        answer.checks.push(check.id.clone());
        return;
    }
    let port = settle::port(&check.port, &check.probe, endpoint);
    answers.push(PlannedAnswer {
        role: check.to.clone(),
        endpoint: endpoint.name.clone(),
        service: service(profile, &check.probe, endpoint),
        port,
        announced: check.port.found_by.is_some() && !endpoint.has(&key),
        port_key: key,
        checks: vec![check.id.clone()],
    });
}

fn service(profile: &Profile, probe: &Probe, endpoint: &Endpoint) -> Service {
    match probe {
        Probe::Http(_) | Probe::Websocket(_) => {
            Service::Http(responder::http::Service { https: endpoint.https == Some(true), ..Default::default() })
        }
        Probe::Tcp(_) => Service::Tcp(responder::tcp::Service::default()),
        Probe::Sql(_) => Service::Sql(responder::sql::Service {
            instance: endpoint.instance.clone().unwrap_or_default(),
            ..Default::default()
        }),
        Probe::SqlBrowser(_) => Service::SqlBrowser(browser(profile, endpoint)),
        Probe::Smb(_) => Service::Smb(responder::smb::Service::default()),
        Probe::Tftp(_) => Service::Tftp(responder::tftp::Service { file: endpoint.file.clone() }),
    }
}

/// SQL Browser names the endpoint's instance and the port on which its stand-in answers.
fn browser(profile: &Profile, endpoint: &Endpoint) -> responder::sql_browser::Service {
    let database = profile.checks.iter().find(|check| matches!(check.probe, Probe::Sql(_)));
    let port = database.map_or(1433, |check| settle::port(&check.port, &check.probe, endpoint));
    let instances = endpoint.instance.iter().map(|name| (name.clone(), port)).collect();
    responder::sql_browser::Service { server: "BOTHWAYS".to_owned(), instances }
}
