//! Binds a profile's roles to the other side of a control channel: its address where the profile names none, and the
//! certificate of its responders.

use std::net::{IpAddr, SocketAddr};

use crate::model::flow::Role;
use crate::model::run::Outcome;
use crate::model::sighting::{AnsweredBy, Answering};
use crate::profile::{Endpoint, Profile};
use crate::sys;

/// What is known of the other side.
pub(super) struct OtherSide<'a> {
    pub roles: &'a [Role],
    /// Its address; absent where only a proxy's is known.
    pub host: Option<String>,
    /// The names and addresses that it goes by.
    pub hosts: &'a [String],
    pub addresses: &'a [IpAddr],
    pub answers: &'a [Answering],
    /// SHA-256 of the certificate that its responders present.
    pub certificate: &'a str,
}

impl OtherSide<'_> {
    /// Whether an endpoint of its role may be it. Of several some are other machines, with certificates of their own.
    fn may_be(&self, endpoint: &Endpoint, the_only_one: bool) -> bool {
        let Some(host) = &endpoint.host else { return true };
        let named = || self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host));
        the_only_one || named() || address(host).is_some_and(|address| self.addresses.contains(&address))
    }

    fn responds(&self, endpoint: &Endpoint) -> bool {
        self.answers.iter().any(|answer| {
            let same_port = || endpoint.ports.iter().any(|(_, port)| *port == answer.port);
            answer.by == AnsweredBy::Responder
                && (answer.endpoint == endpoint.name || answer.role.as_str() == endpoint.role && same_port())
        })
    }
}

/// Writes the other side into the profile. A host that the profile's owner named stays; the endpoints that had none.
pub(super) fn bind(profile: &mut Profile, other: &OtherSide) -> Vec<String> {
    let mut bound = Vec::new();
    let of_role = |role: &str, all: &[Endpoint]| all.iter().filter(|endpoint| endpoint.role == role).count();
    let numbers: Vec<usize> =
        profile.endpoints.iter().map(|endpoint| of_role(&endpoint.role, &profile.endpoints)).collect();
    for (endpoint, number) in profile.endpoints.iter_mut().zip(numbers) {
        let plays = other.roles.iter().any(|role| role.as_str() == endpoint.role);
        if !plays || !other.may_be(endpoint, number == 1) {
            continue;
        }
        if endpoint.host.is_none() && other.host.is_some() {
            endpoint.host.clone_from(&other.host);
            bound.push(endpoint.name.clone());
        }
        if other.responds(endpoint) && endpoint.tls.fingerprint.is_none() {
            endpoint.tls.fingerprint = Some(other.certificate.to_owned());
        }
    }
    bound
}

/// Says of flows to these endpoints, which are at the address over which the two sides are joined, that the other side has one
/// of the other family too, which they did not go to.
pub(super) fn tell_family(outcomes: &mut [Outcome], bound: &[String], addresses: &[IpAddr]) {
    let own = sys::own_addresses();
    for outcome in outcomes {
        let asked: Vec<IpAddr> = outcome
            .steps
            .iter()
            .filter_map(|step| step.address.as_deref()?.parse::<SocketAddr>().ok())
            .map(|to| to.ip())
            .collect();
        let untested = addresses.iter().map(IpAddr::to_canonical).find(|other| {
            let same = |ip: &IpAddr| ip.is_ipv4() == other.is_ipv4();
            !asked.is_empty() && !asked.iter().any(same) && own.iter().any(same)
        });
        if let Some(untested) = untested.filter(|_| bound.contains(&outcome.endpoint)) {
            let remark = format!(
                " (Not over its address {untested}, for the two sides are joined over the other family: name it with --set {}.host to \
                 test it.)",
                outcome.endpoint
            );
            outcome.sentence.push_str(&remark);
        }
    }
}

/// Writes into the profile which certificate a listener that was not joined presents where it listens: whoever else answers
/// there over TLS stands between.
pub(super) fn expect(profile: &mut Profile, hosts: &[String], port: u16, certificate: &str) {
    for endpoint in &mut profile.endpoints {
        let Some(host) = &endpoint.host else { continue };
        let same = |known: &String| {
            known.eq_ignore_ascii_case(host) || address(known).is_some_and(|ip| address(host) == Some(ip))
        };
        let on_port = endpoint.https == Some(true) && endpoint.port("port").unwrap_or(443) == port;
        if on_port && hosts.iter().any(same) && endpoint.tls.fingerprint.is_none() {
            endpoint.tls.fingerprint = Some(certificate.to_owned());
        }
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Drops the endpoints of the other side's roles that are somebody else, where one of them is the other side itself.
pub(super) fn keep_only(profile: &mut Profile, roles: &[Role], addresses: &[IpAddr]) {
    let is_it =
        |host: &Option<String>| host.as_deref().and_then(address).is_some_and(|address| addresses.contains(&address));
    for role in roles {
        let of_role = |name: &str| name == role.as_str();
        if profile.endpoints.iter().any(|endpoint| of_role(&endpoint.role) && is_it(&endpoint.host)) {
            profile.endpoints.retain(|endpoint| !of_role(&endpoint.role) || is_it(&endpoint.host));
        }
    }
}

/// The profile with this side's own roles on this machine, so that their responders are planned.
pub(super) fn answerable(profile: &Profile, sides: &[Role]) -> Profile {
    let mut profile = profile.clone();
    for endpoint in &mut profile.endpoints {
        if endpoint.host.is_none() && sides.iter().any(|side| side.as_str() == endpoint.role) {
            endpoint.host = Some(std::net::Ipv4Addr::UNSPECIFIED.to_string());
        }
    }
    profile
}
