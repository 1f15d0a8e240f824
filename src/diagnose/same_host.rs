//! What flows to one host say of each other. Routers tell only a few times a second that they can't or may not pass packets
//! on: of several flows at once the first are told, and the others meet silence that has the same cause.

use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Lost, Status};
use crate::model::run::Outcome;

/// Gives silent flows the verdict of a flow to the same place that a device rejected in words.
pub fn explain(outcomes: &mut [Outcome]) {
    let told: Vec<(usize, Outcome)> = (0..outcomes.len())
        .filter(|at| is_silent(&outcomes[*at]))
        .filter_map(|at| Some((at, witness(outcomes, at)?.clone())))
        .collect();
    for (at, witness) in told {
        apply(&mut outcomes[at], &witness);
    }
}

/// Silence of which nothing more is known than that.
fn is_silent(outcome: &Outcome) -> bool {
    matches!(outcome.code, Code::Dropped | Code::NoAnswer | Code::SqlBrowserSilent)
        && matches!(outcome.status, Status::Fail | Status::Unknown | Status::Warn)
        && outcome.lost.is_none()
        && outcome.path.rejected_by.is_none()
        && is_direct(outcome)
}

fn is_direct(outcome: &Outcome) -> bool {
    outcome.tested_from.is_some() && !outcome.facts.contains_key(Fact::Proxy.word())
}

fn witness(outcomes: &[Outcome], at: usize) -> Option<&Outcome> {
    let silent = &outcomes[at];
    let others = || outcomes.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, outcome)| outcome);
    let same = |near: fn(&Outcome, &Outcome) -> bool| {
        let mut beside = others().filter(move |other| other.tested_from == silent.tested_from && near(silent, other));
        let witness = beside.clone().find(|other| is_rejected(other) && alike(silent, other) && fits(silent, other))?;
        // Nothing else may have come through.
        beside.all(|other| is_silent(other) || other.code == witness.code).then_some(witness)
    };
    let without_way = same(same_host).filter(|witness| witness.code == Code::Unreachable);
    without_way.or_else(|| same(same_port))
}

/// Whether a device on the way said in words that it does not pass the packets on.
fn is_rejected(outcome: &Outcome) -> bool {
    matches!(outcome.code, Code::Unreachable | Code::Rejected)
        && matches!(outcome.status, Status::Fail | Status::Warn)
        && outcome.path.rejected_by.is_some_and(|icmp| icmp.from.is_some())
        && is_direct(outcome)
}

/// Whether both fail as a whole, or both work on some of the same name's addresses.
fn alike(one: &Outcome, other: &Outcome) -> bool {
    match (one.status, other.status) {
        (Status::Warn, Status::Warn) => same_port(one, other),
        (Status::Warn, _) | (_, Status::Warn) => false,
        _ => true,
    }
}

/// Whether packets of the silent flow were not seen to come farther than the device that rejects.
fn fits(silent: &Outcome, witness: &Outcome) -> bool {
    let device = witness.path.rejected_by.and_then(|icmp| icmp.from);
    let as_far = |ttl| witness.path.last_hop.is_some_and(|hop| ttl <= hop.ttl);
    silent.path.last_hop.is_none_or(|hop| Some(hop.address) == device || as_far(hop.ttl) || same_port(silent, witness))
}

fn same_host(one: &Outcome, other: &Outcome) -> bool {
    one.host().is_some() && one.host() == other.host()
}

fn same_port(one: &Outcome, other: &Outcome) -> bool {
    one.target.is_some() && one.target == other.target && one.transport == other.transport
}

fn apply(silent: &mut Outcome, witness: &Outcome) {
    let what = match silent.status {
        Status::Warn => "One of several addresses did not answer".to_owned(),
        _ => format!("{} did not answer", silent.target.as_deref().unwrap_or_default()),
    };
    silent.sentence = format!(
        "{what}, and why is told of another flow ({}), for which devices have only a few messages a second: {}",
        witness.check, witness.sentence
    );
    silent.code = witness.code;
    silent.status = witness.status;
    silent.lost = Some(Lost::Request);
    silent.confidence = Confidence::Likely;
    silent.remedy.clone_from(&witness.remedy);
    silent.path.rejected_by = witness.path.rejected_by;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(check: &str, target: &str, status: &str, code: &str, rejected_by: Option<&str>) -> Outcome {
        let icmp = rejected_by.map(|from| json!({ "type": 3, "code": 0, "from": from }));
        let (_, port) = target.rsplit_once(':').expect("host:port");
        serde_json::from_value(json!({
            "check": check, "task": check, "from": "client", "to": "server", "carries": null, "tested_from": "client",
            "target": target, "transport": "tcp", "port": port.parse::<u16>().expect("a port"), "status": status,
            "code": code, "lost": null, "confidence": "proven", "sentence": format!("{target} is {code}."),
            "remedy": null, "path": { "last_hop": null, "rejected_by": icmp }, "steps": [], "facts": {}, "receipts": [],
            "attempts": 1
        }))
        .expect("an outcome")
    }

    const ROUTER: Option<&str> = Some("10.9.1.1");

    fn codes(mut outcomes: Vec<Outcome>) -> Vec<&'static str> {
        explain(&mut outcomes);
        outcomes.iter().map(|outcome| outcome.code.word()).collect()
    }

    #[test]
    fn a_host_without_a_way_explains_the_silence_of_all_its_ports() {
        let mut outcomes = vec![
            outcome("job-query", "10.9.2.2:80", "fail", "unreachable", ROUTER),
            outcome("share", "10.9.2.2:445", "fail", "dropped", None),
        ];
        explain(&mut outcomes);
        assert_eq!((outcomes[1].code, outcomes[1].lost), (Code::Unreachable, Some(Lost::Request)));
        assert_eq!(outcomes[1].path.rejected_by, outcomes[0].path.rejected_by);
        assert_eq!(outcomes[1].confidence, Confidence::Likely);
        assert!(outcomes[1].sentence.contains("job-query"), "{}", outcomes[1].sentence);
    }

    #[test]
    fn a_port_that_a_firewall_rejects_explains_no_other_port() {
        let rejected = || outcome("job-query", "10.9.2.2:80", "fail", "rejected", ROUTER);
        let silent = |target| outcome("other", target, "fail", "dropped", None);
        assert_eq!(codes(vec![rejected(), silent("10.9.2.2:445")]), ["rejected", "dropped"]);
        assert_eq!(codes(vec![rejected(), silent("10.9.2.3:80")]), ["rejected", "dropped"]);
        assert_eq!(codes(vec![rejected(), silent("10.9.2.2:80")]), ["rejected", "rejected"]);
    }

    #[test]
    fn a_name_of_which_one_address_fails_explains_only_flows_that_work_likewise() {
        let told = || outcome("job-query", "mdm:80", "warn", "unreachable", ROUTER);
        let silent = |target, status| outcome("inventory", target, status, "dropped", None);
        assert_eq!(codes(vec![told(), silent("mdm:80", "warn")]), ["unreachable", "unreachable"]);
        assert_eq!(codes(vec![told(), silent("mdm:80", "fail")]), ["unreachable", "dropped"]);
        assert_eq!(codes(vec![told(), silent("mdm:445", "warn")]), ["unreachable", "dropped"]);
    }

    #[test]
    fn a_host_that_answers_on_one_port_has_a_way() {
        let outcomes = vec![
            outcome("job-query", "10.9.2.2:80", "fail", "unreachable", ROUTER),
            outcome("share", "10.9.2.2:445", "fail", "dropped", None),
            outcome("database", "10.9.2.2:1433", "pass", "ok", None),
        ];
        assert_eq!(codes(outcomes), ["unreachable", "dropped", "ok"]);
    }
}
