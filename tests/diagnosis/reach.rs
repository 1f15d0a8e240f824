//! Conversations that show the rows of the table of reach.

use std::io::ErrorKind;

use bothways::model::evidence::{Failure, Icmp, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::{Probe, Tcp, Tftp};
use serde_json::{Value, json};

use super::seen::{FIRST, HOST, OWN, Seen, icmp};

const SECOND: &str = "10.9.9.2";

impl Seen {
    fn tcp() -> Self {
        Self::of(Probe::Tcp(Tcp::default()), 7443)
    }

    fn datagram() -> Self {
        Self::of(Probe::Tftp(Tftp::default()), 7443)
    }

    /// The very port is answered by these devices.
    pub fn hops(self, hops: &[(u8, &str, u8)]) -> Self {
        self.fact(Fact::Hops, passed(hops))
    }

    pub fn answered(self, ttl: Option<u8>, said: &str, arrived: Option<u8>) -> Self {
        self.fact(Fact::AnsweredAt, json!({"ttl": ttl, "said": said, "arrived": arrived}))
    }

    /// Other packets pass both routers and are answered by the host.
    pub fn others_pass(self) -> Self {
        let icmp = json!({"type": 3, "code": 3, "from": HOST});
        self.others_pass_routers()
            .fact(Fact::OtherAnsweredAt, json!({"ttl": 3, "said": "rejected", "arrived": 62, "icmp": icmp}))
    }

    fn others_pass_routers(self) -> Self {
        self.fact(Fact::OtherHops, passed(&[(1, FIRST, 64), (2, SECOND, 63)]))
    }
}

fn passed(hops: &[(u8, &str, u8)]) -> Value {
    hops.iter().map(|(ttl, address, arrived)| json!({"ttl": ttl, "address": address, "arrived": arrived})).collect()
}

fn reset() -> Seen {
    Seen::tcp().fails(StepKind::Connect, Failure::Refused)
}

fn silence() -> Seen {
    Seen::tcp().fails(StepKind::Connect, Failure::TimedOut)
}

fn unanswered_datagram() -> Seen {
    Seen::datagram().accepted().fails(StepKind::Reply, Failure::TimedOut)
}

fn says(icmp: Icmp) -> Seen {
    Seen::tcp().told(StepKind::Connect, ErrorKind::HostUnreachable, icmp)
}

fn refused_with(icmp: Icmp) -> Seen {
    Seen::tcp().told(StepKind::Connect, ErrorKind::ConnectionRefused, icmp)
}

fn next_device() -> Value {
    json!({"ttl": 2, "address": SECOND})
}

fn resets() -> Vec<(&'static str, Seen)> {
    vec![
        ("a reset, and no distance", reset()),
        (
            "a reset, and other requests to the very port are accepted meanwhile",
            reset().fact(Fact::ConnectsTried, 3).fact(Fact::ConnectsRepeated, 2),
        ),
        (
            "a reset that has passed as many routers as the host's other answers",
            reset().others_pass().answered(None, "refused", Some(126)),
        ),
        (
            "a reset that is nearer, there and back",
            reset().others_pass().hops(&[(1, FIRST, 64)]).answered(Some(2), "refused", Some(64)),
        ),
        (
            "a reset to what comes no farther than the first device, and the system does not tell what leaves this machine",
            reset().others_pass().answered(Some(1), "refused", Some(64)),
        ),
        (
            "a reset that is nearer there, and no distance back",
            reset().others_pass_routers().hops(&[(1, FIRST, 64)]).answered(Some(2), "refused", None),
        ),
        (
            "a reset that is nearer back",
            reset().others_pass().hops(&[(1, FIRST, 64), (2, SECOND, 63)]).answered(Some(3), "refused", Some(63)),
        ),
        (
            "a reset, and requests that ignore it never left this machine",
            reset().others_pass().hops(&[]).answered(Some(1), "refused", Some(64)).fact(Fact::KeptBack, true),
        ),
        (
            "a reset from as far back as the last device before it, and the host answers nothing else",
            reset().hops(&[(1, FIRST, 64), (2, SECOND, 63)]).answered(Some(3), "refused", Some(63)),
        ),
    ]
}

fn messages() -> Vec<(&'static str, Seen)> {
    vec![
        ("ICMP port unreachable to a request, from a device", refused_with(icmp(3, 3, FIRST))),
        ("ICMP port unreachable to a request, from the host", refused_with(icmp(3, 3, HOST))),
        (
            "ICMP port unreachable to a datagram, from the host",
            Seen::datagram().accepted().told(StepKind::Reply, ErrorKind::ConnectionRefused, icmp(3, 3, HOST)),
        ),
        ("ICMP prohibition from a device", says(icmp(3, 13, FIRST))),
        ("ICMP prohibition from the host", says(icmp(3, 10, HOST))),
        (
            "ICMP network or host unreachable from a device that passes other packets to the host",
            says(icmp(3, 1, FIRST)).others_pass(),
        ),
        (
            "ICMP network or host unreachable from a device that has another word for other packets to the host",
            says(icmp(3, 1, FIRST)).fact(
                Fact::OtherAnsweredAt,
                json!({"ttl": 2, "said": "rejected", "icmp": {"type": 3, "code": 3, "from": FIRST}}),
            ),
        ),
        ("ICMP network or host unreachable from a device, and no other packets come through", says(icmp(3, 0, FIRST))),
        ("ICMP network or host unreachable from the host itself", says(icmp(3, 1, HOST))),
        ("ICMP time exceeded to packets with all their time", says(icmp(11, 0, FIRST))),
        (
            "nobody answers for the host's address on this machine's own network",
            says(icmp(3, 1, OWN)).after_asking().fact(Fact::OnLink, true),
        ),
        ("nobody answers for the gateway's address", says(icmp(3, 1, OWN)).after_asking().fact(Fact::OnLink, false)),
        ("ICMP from this machine itself, at once", says(icmp(3, 1, OWN)).fact(Fact::OnLink, true)),
        (
            "ICMP \"unreachable\" from this machine itself, and a router or the host answers other packets",
            says(icmp(3, 1, OWN)).after_asking().others_pass_routers(),
        ),
        ("this machine has no route", Seen::tcp().fails(StepKind::Connect, Failure::NetworkUnreachable)),
        ("this machine's system forbids it", Seen::tcp().fails(StepKind::Connect, Failure::Denied)),
    ]
}

fn silences() -> Vec<(&'static str, Seen)> {
    let near = &[(1, FIRST, 64)];
    let prohibited = json!({"ttl": 3, "said": "rejected", "icmp": {"type": 3, "code": 13, "from": SECOND}});
    vec![
        ("silence, and the requests never left this machine", silence().others_pass().fact(Fact::KeptBack, true)),
        (
            "silence, and a device answers for this port, the next one only for others",
            silence().others_pass().hops(near).fact(Fact::VanishesBefore, next_device()),
        ),
        (
            "silence, and the first device answers only for other ports",
            silence()
                .others_pass()
                .fact(Fact::KeptBack, false)
                .fact(Fact::VanishesBefore, json!({"ttl": 1, "address": FIRST})),
        ),
        (
            "silence, and the last device before the host answers for this port",
            silence().others_pass().hops(&[(1, FIRST, 64), (2, SECOND, 63)]),
        ),
        ("silence, and a device answers for this port, and nothing behind it at all", silence().hops(near)),
        ("silence, and no router is between", silence().fact(Fact::OnLink, true)),
        ("silence alone", silence()),
        (
            "silence, and other requests to the very port are accepted meanwhile",
            silence().hops(&[(1, FIRST, 64)]).answered(Some(3), "accepted", None),
        ),
        (
            "silence, but further packets to the port are answered with an ICMP prohibition",
            silence().hops(near).fact(Fact::AnsweredAt, prohibited),
        ),
        (
            "silence to a datagram, and a device answers for this port, the next one only for others",
            unanswered_datagram().others_pass().hops(near).fact(Fact::VanishesBefore, next_device()),
        ),
        ("silence to a datagram alone", unanswered_datagram()),
    ]
}

fn accepts() -> Vec<(&'static str, Seen)> {
    let nearer = |seen: Seen| seen.others_pass().hops(&[(1, FIRST, 64)]).answered(Some(2), "accepted", Some(63));
    vec![
        ("an accept that is nearer, and nothing more", nearer(Seen::tcp().accepted().fact(Fact::Canary, "refused"))),
        (
            "an accept that is nearer, and then a reset",
            nearer(Seen::tcp().accepted().fails(StepKind::Reply, Failure::Reset)),
        ),
    ]
}

#[test]
fn the_table_of_reach_is_what_the_judges_do() {
    let all = [resets(), messages(), silences(), accepts()].into_iter().flatten();
    let judged: Vec<(&str, Judgement)> = all.map(|(name, seen)| (name, seen.judged())).collect();
    super::assert_holds("Reach", &judged);
}
