//! Steps and ICMP messages in words.

use crate::model::evidence::{Failure, Icmp, Millis, Step, StepKind};

/// The steps as one line: `resolve sql01 2.0 ms → connect 10.9.2.2:1433: timed out after 5.0 s`.
///
/// The same step with the same end is told once, with its number, so that retries don't fill the page.
pub(super) fn words(steps: &[Step]) -> String {
    let mut told: Vec<(&Step, usize)> = Vec::new();
    for step in steps {
        match told.iter_mut().find(|(other, _)| same(other, step)) {
            Some((last, times)) => {
                *last = step;
                *times += 1;
            }
            None => told.push((step, 1)),
        }
    }
    let words: Vec<String> = told
        .into_iter()
        .map(|(step, times)| if times > 1 { format!("{} ({times} times)", one(step)) } else { one(step) })
        .collect();
    words.join(" → ")
}

fn same(one: &Step, other: &Step) -> bool {
    (one.kind, &one.address, one.error, one.icmp) == (other.kind, &other.address, other.error, other.icmp)
}

/// One step: what was done, how it ended, how long it took.
pub(super) fn one(step: &Step) -> String {
    let address = step.address.as_deref().unwrap_or_default();
    let kind = match step.kind {
        StepKind::Resolve => "resolve",
        StepKind::Connect => "connect",
        StepKind::Proxy => "proxy",
        StepKind::Tls => "TLS handshake",
        StepKind::Request => "request",
        StepKind::Reply => "reply",
        StepKind::Hold => "idle",
    };
    let named = matches!(step.kind, StepKind::Resolve | StepKind::Connect | StepKind::Proxy) && !address.is_empty();
    let what = if named { format!("{kind} {address}") } else { kind.to_owned() };
    let took = span(step.took_ms);
    let Some(failure) = step.error else { return format!("{what} {took}") };
    let icmp = step.icmp.map(|icmp| format!(" ({})", message(icmp))).unwrap_or_default();
    format!("{what}: {} after {took}{icmp}", end(failure))
}

/// A span of time as people read it, never broken between number and unit.
pub(super) fn span(time: Millis) -> String {
    let ms = time.as_f64();
    match ms {
        ms if ms < 9.95 => format!("{ms:.1}\u{a0}ms"),
        ms if ms < 999.5 => format!("{ms:.0}\u{a0}ms"),
        ms if ms < 99_950.0 => format!("{:.1}\u{a0}s", ms / 1000.0),
        ms => format!("{:.0}\u{a0}s", ms / 1000.0),
    }
}

/// How a step ended, in words.
fn end(failure: Failure) -> &'static str {
    match failure {
        Failure::TimedOut => "timed out",
        Failure::Refused => "refused",
        Failure::Reset => "reset",
        Failure::Closed => "closed by the far side",
        Failure::HostUnreachable => "host unreachable",
        Failure::NetworkUnreachable => "network unreachable",
        Failure::Rejected => "rejected",
        Failure::Denied => "denied by this machine",
        Failure::NoMoreSockets => "no more sockets on this machine",
        Failure::AddressInUse => "port in use on this machine",
        Failure::AddressUnavailable => "source address not on this machine",
        Failure::NameNotFound => "no such name",
        Failure::NameNoAddress => "name without an address",
        Failure::NameServerSilent => "name server silent",
        Failure::NameServerFailed => "name server failed",
        Failure::Malformed => "not the protocol asked for",
        Failure::Unexpected => "not the answer needed",
        Failure::NotTls => "no TLS spoken",
        Failure::TlsVersion => "no common TLS version",
        Failure::TlsAlert => "ended by a TLS alert",
        Failure::TlsExpired => "certificate expired",
        Failure::TlsNotYetValid => "certificate not yet valid",
        Failure::TlsNameMismatch => "certificate for another name",
        Failure::TlsUntrusted => "certificate not trusted",
        Failure::TlsIntercepted => "not the expected certificate",
        Failure::TlsClientCertificate => "client certificate wanted",
        Failure::NeedsCredentials => "user and password needed",
        Failure::NotBuilt => "not in this build",
        Failure::Interrupted => "stopped",
        Failure::Internal => "tool failed",
    }
}

/// An ICMP message with its meaning and its sender.
pub(super) fn message(icmp: Icmp) -> String {
    let family = if icmp.v6 { "ICMPv6" } else { "ICMP" };
    let meaning = meaning(icmp).map(|meaning| format!(", {meaning}")).unwrap_or_default();
    let from = icmp.from.map(|from| format!(", from {from}")).unwrap_or_default();
    format!("{family} {}/{}{meaning}{from}", icmp.kind, icmp.code)
}

/// The registered meaning of a message that ends connections (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
fn meaning(icmp: Icmp) -> Option<&'static str> {
    Some(match (icmp.v6, icmp.kind, icmp.code) {
        (false, 3, 0) => "network unreachable",
        (false, 3, 1) | (true, 1, 3) => "host unreachable",
        (false, 3, 2) => "protocol unreachable",
        (false, 3, 3) | (true, 1, 4) => "port unreachable",
        (false, 3, 4) | (true, 2, 0) => "packet too big",
        (false, 3, 9) => "network prohibited by an administrator",
        (false, 3, 10) => "host prohibited by an administrator",
        (false, 3, 13) | (true, 1, 1) => "prohibited by an administrator",
        (true, 1, 0) => "no route",
        (true, 1, 5) => "prohibited source",
        (true, 1, 6) => "route that rejects",
        (false, 11, 0) | (true, 3, 0) => "time to live exceeded",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: StepKind, address: &str, error: Option<Failure>, micros: u64) -> Step {
        let address = Some(address.to_owned());
        Step { kind, at_ms: 0, took_ms: Millis(micros), address, error, os_code: None, icmp: None, note: None }
    }

    #[test]
    fn retries_are_told_once_with_their_number() {
        let timed_out = step(StepKind::Connect, "10.9.2.2:1433", Some(Failure::TimedOut), 5_000_000);
        let steps = [step(StepKind::Resolve, "sql01", None, 2_000), timed_out.clone(), timed_out];
        let told = "resolve sql01 2.0 ms → connect 10.9.2.2:1433: timed out after 5.0 s (2 times)";
        assert_eq!(words(&steps).replace('\u{a0}', " "), told);
    }

    #[test]
    fn an_icmp_message_is_named_with_its_sender() {
        let icmp = Icmp { kind: 3, code: 13, from: Some([10, 9, 2, 1].into()), v6: false };
        assert_eq!(message(icmp), "ICMP 3/13, prohibited by an administrator, from 10.9.2.1");
    }

    #[test]
    fn spans_are_told_with_as_many_digits_as_matter() {
        let told: Vec<String> = [340, 9_960, 121_400, 999_600, 5_000_000, 120_000_000]
            .map(|micros| span(Millis(micros)).replace('\u{a0}', " "))
            .into();
        assert_eq!(told, ["0.3 ms", "10 ms", "121 ms", "1.0 s", "5.0 s", "120 s"]);
    }
}
