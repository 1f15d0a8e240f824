//! What a conversation that stopped at the name stage means.

use super::{Case, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

pub(super) fn judge(case: &Case, failure: Failure) -> Judgement {
    match failure {
        Failure::NameNotFound => not_found(case),
        Failure::NameNoAddress => no_address(case),
        Failure::NameServerSilent | Failure::TimedOut => server_silent(case),
        Failure::NameServerFailed => server_failed(case),
        _ => unforeseen(case),
    }
}

/// The name that was asked for, as the subject of a sentence.
fn subject(case: &Case) -> String {
    let (host, _) = case.ask.first_hop();
    match case.ask.proxy() {
        Some(_) => format!("The proxy's name {host}"),
        None => format!("The name {host}"),
    }
}

fn not_found(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    let hint = if host.contains('.') {
        ""
    } else {
        " It is a short name: it is found only where this machine's DNS suffixes complete it."
    };
    Judgement::fail(
        Code::NameNotFound,
        Confidence::Proven,
        format!("{} does not exist for this machine: the name servers that it uses know no such name.{hint}", subject(case)),
    )
    .remedy(
        Who::Names,
        format!("Create the DNS record of {host} (or correct the name in the profile), and see that this machine asks the name servers that have it."),
    )
}

fn no_address(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    Judgement::fail(
        Code::NameNoAddress,
        Confidence::Proven,
        format!("{} exists but has no address: there is neither an A nor an AAAA record.", subject(case)),
    )
    .remedy(Who::Names, format!("Add an A record (or AAAA for IPv6) for {host}."))
}

fn server_silent(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    Judgement::fail(
        Code::NameServerSilent,
        Confidence::Likely,
        format!("{} could not be resolved: the name servers of this machine did not answer in time.", subject(case)),
    )
    .remedy(
        Who::Names,
        format!(
            "Check that the name servers configured on this machine are right and running, and that UDP and TCP port 53 \
             to them is allowed; then look up {host} again."
        ),
    )
}

fn server_failed(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    let detail = case.evidence.text(Fact::DnsFailure).map_or_else(String::new, |text| format!(" ({text})"));
    Judgement::fail(
        Code::NameServerFailed,
        Confidence::Likely,
        format!(
            "{} could not be resolved: the name servers of this machine gave a failure in place of an answer{detail}.",
            subject(case)
        ),
    )
    .remedy(
        Who::Names,
        format!(
            "See that name servers are configured on this machine. Look into their log for {host}: a forwarder or the zone's own \
             servers are unreachable, or this machine may not ask them."
        ),
    )
}
