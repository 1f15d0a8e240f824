//! What a conversation that stopped at the name stage means, and what names in disorder mean for one that went on.

mod any_name;

use std::net::IpAddr;

use super::{Case, unforeseen};
use crate::model::ask::Ask;
use crate::model::code::Code;
use crate::model::evidence::{Evidence, Failure};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Status, Who};

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

/// What the name servers said, each by its address; empty where they said nothing that matters.
fn told(evidence: &Evidence) -> String {
    let lines = list(evidence, Fact::NameServers).unwrap_or_default();
    match (lines.is_empty(), evidence.text(Fact::DnsFailure)) {
        (false, _) => format!(" ({})", lines.join("; ")),
        (true, Some(text)) => format!(" ({text})"),
        (true, None) => String::new(),
    }
}

fn list(evidence: &Evidence, fact: Fact) -> Option<Vec<String>> {
    let values = evidence.fact(fact)?.as_array()?.iter().filter_map(|value| value.as_str());
    Some(values.map(str::to_owned).collect())
}

fn not_found(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    let subject = subject(case);
    if let Some(others) = list(case.evidence, Fact::DnsAddresses) {
        let sentence = format!(
            "{subject} does not exist for this machine, although a name server gives {} for it{}: the name servers disagree, or \
             this machine does not ask them for such names.",
            others.join(", "),
            told(case.evidence)
        );
        return Judgement::fail(Code::NameNotFound, Confidence::Proven, sentence).remedy(
            Who::Names,
            format!(
                "Bring the name servers of this machine in line, so that every one of them knows {host}; or look at how this \
                 machine resolves names (hosts file, nsswitch.conf, name resolution policy, VPN)."
            ),
        );
    }
    let hint = if host.contains('.') {
        ""
    } else {
        " It is a short name: it is found only where this machine's DNS suffixes complete it."
    };
    Judgement::fail(
        Code::NameNotFound,
        Confidence::Proven,
        format!("{subject} does not exist for this machine: the name servers that it uses know no such name.{hint}"),
    )
    .remedy(
        Who::Names,
        format!("Create the DNS record of {host} (or correct the name in the profile), and see that this machine asks the name servers that have it."),
    )
}

fn no_address(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    let nobody = list(case.evidence, Fact::SystemAddresses).or_else(|| list(case.evidence, Fact::DnsAddresses));
    if let Some(nobody) = nobody {
        return sinkhole(case, &nobody.join(", "));
    }
    Judgement::fail(
        Code::NameNoAddress,
        Confidence::Proven,
        format!("{} exists but has no address: there is neither an A nor an AAAA record.", subject(case)),
    )
    .remedy(Who::Names, format!("Add an A record (or AAAA for IPv6) for {host}."))
}

/// `0.0.0.0` in place of an address: filters answer so, and block lists in hosts files.
fn sinkhole(case: &Case, given: &str) -> Judgement {
    let (host, _) = case.ask.first_hop();
    Judgement::fail(
        Code::NameNoAddress,
        Confidence::Proven,
        format!(
            "{} has no usable address: it resolves to {given}, which is no host's address. DNS filters answer so for names that \
             they block (a sinkhole), and so do block lists in hosts files.",
            subject(case)
        ),
    )
    .remedy(
        Who::Names,
        format!("Exempt {host} from the DNS filter that this machine asks, or remove it from this machine's hosts file."),
    )
}

fn server_silent(case: &Case) -> Judgement {
    let (host, _) = case.ask.first_hop();
    Judgement::fail(
        Code::NameServerSilent,
        Confidence::Likely,
        format!(
            "{} could not be resolved: the name servers of this machine did not answer{}.",
            subject(case),
            told(case.evidence)
        ),
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
    Judgement::fail(
        Code::NameServerFailed,
        Confidence::Likely,
        format!(
            "{} could not be resolved: the name servers of this machine gave a failure in place of an answer{}.",
            subject(case),
            told(case.evidence)
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

/// What is known of the name beside a conversation with its addresses: a flow that works while names are in disorder works
/// with a warning, and one that fails may fail for that.
#[must_use]
pub fn beside(
    judgement: Judgement,
    ask: &Ask,
    names: &Evidence,
    seen: Option<&Evidence>,
    addresses: &[IpAddr],
) -> Judgement {
    let (host, _) = ask.first_hop();
    let redirected = judgement.status == Status::Warn && judgement.code == Code::HttpRedirected;
    if (judgement.status == Status::Pass || redirected)
        && let Some(anybody) = any_name::judge(ask, names, seen)
    {
        return anybody;
    }
    match judgement.status {
        Status::Skip | Status::Error => judgement,
        Status::Pass => disorder(host, names).unwrap_or(judgement),
        Status::Warn | Status::Fail | Status::Unknown => other_address(ask, names, addresses).unwrap_or_else(|| {
            let sentence = format!("{}{}", judgement.sentence, remarks(host, names, addresses));
            Judgement { sentence, ..judgement }
        }),
    }
}

/// What the two ways of resolving say, where they have no address in common.
fn differing(names: &Evidence) -> Option<(String, String)> {
    let joined = |fact| Some(list(names, fact)?.join(", "));
    joined(Fact::SystemAddresses).zip(joined(Fact::DnsAddresses))
}

/// A flow works, and names are in disorder.
fn disorder(host: &str, names: &Evidence) -> Option<Judgement> {
    if names.text(Fact::SystemFailure).is_some() {
        let silent = names.number(Fact::NameServersSilent).unwrap_or_default();
        let which = if silent > 0 { " At least one of its name servers is silent." } else { "" };
        let sentence = format!(
            "Works, but this machine's own resolver had not found the name {host} after some seconds, while a name server that was \
             asked directly knows it{}.{which} Every program waits as long for every name.",
            told(names)
        );
        return Some(Judgement::warn(Code::NameServerSilent, Confidence::Likely, sentence).remedy(
            Who::Names,
            "Repair the name server that does not answer, or take it out of this machine's settings.",
        ));
    }
    if let Some((system, dns)) = differing(names) {
        let sentence = format!(
            "Works, but the name resolves differently: this system says {system}, the name servers say {dns}{}.",
            told(names)
        );
        return Some(Judgement::warn(Code::NameDiffers, Confidence::Proven, sentence).remedy(
            Who::Names,
            "Look for an entry in the hosts file, a search suffix, or split DNS; the product's own machines must see the right \
             address.",
        ));
    }
    if let Some(seconds) = names.text(Fact::SystemTook) {
        let sentence = format!(
            "Works, but this machine's own resolver took {seconds} s to find the name {host}: its first name server does not answer, or \
             answers late. Every program waits as long for every name."
        );
        return Some(Judgement::warn(Code::NameServerSilent, Confidence::Likely, sentence).remedy(
            Who::Names,
            "See why the name servers of this machine answer so late: the first of them, those that they forward to, and whether \
             questions for IPv6 addresses (AAAA) are answered at all.",
        ));
    }
    let whole = names.text(Fact::CompletedName)?;
    let sentence = format!(
        "Works, but there is no name {host}: a DNS suffix of this machine makes {whole} of it. A machine with other suffixes \
         reaches another host, or none."
    );
    Some(Judgement::warn(Code::NameDiffers, Confidence::Proven, sentence).remedy(
        Who::Names,
        format!("Create the record of {host} itself, or write {whole} in the profile and in the product if that is the host meant."),
    ))
}

/// The addresses that were used fail, and those that the other way of resolving gives accept connections.
fn other_address(ask: &Ask, names: &Evidence, addresses: &[IpAddr]) -> Option<Judgement> {
    let (system, dns) = differing(names)?;
    let open = list(names, Fact::OtherOpens)?.join(", ");
    let (host, port) = ask.first_hop();
    let used: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let sentence = format!(
        "The name {host} leads to {}, where TCP {port} can't be reached, while {open} accepts connections: this system says \
         {system}, the name servers say {dns}{}.",
        used.join(", "),
        told(names)
    );
    Some(Judgement::fail(Code::NameDiffers, Confidence::Likely, sentence).remedy(
        Who::Names,
        format!(
            "See which address {host} really has. Correct the other: an entry in this machine's hosts file, or the record on the \
             name servers."
        ),
    ))
}

fn remarks(host: &str, names: &Evidence, addresses: &[IpAddr]) -> String {
    let differs = differing(names).map(|(system, dns)| {
        format!(" Besides, the name resolves differently: this system says {system}, the name servers say {dns}.")
    });
    let completed = names
        .text(Fact::CompletedName)
        .map(|whole| format!(" Besides, there is no name {host}: a DNS suffix of this machine makes {whole} of it."));
    let is_name = host.parse::<IpAddr>().is_err() && !host.to_ascii_lowercase().ends_with("localhost");
    let to_itself = !addresses.is_empty() && addresses.iter().all(|address| address.to_canonical().is_loopback());
    let itself = (is_name && to_itself).then(|| {
        " The name leads to this machine itself: look into its hosts file, and for a DNS filter that answers so."
            .to_owned()
    });
    differs.into_iter().chain(completed).chain(itself).chain(any_name::remark(names)).collect()
}
