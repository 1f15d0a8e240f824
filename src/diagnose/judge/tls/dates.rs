//! Certificates out of their dates, and whether it is this machine's clock that is.

use jiff::Timestamp;

use super::certificate::{Place, at_fault, day, others, shown};
use crate::diagnose::judge::Case;
use crate::model::certificate::Presented;
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};

/// Seconds by which two clocks may differ without anybody minding.
const AGREE: i64 = 300;

pub(super) fn expired(case: &Case) -> Judgement {
    let (place, certificate) = at_fault(case);
    let who = place.subject();
    let when = match day(&certificate.not_after) {
        "" => "has expired".to_owned(),
        day => format!("expired on {day}"),
    };
    let what = format!("{who} of {} ({}) {when}", case.target(), shown(&certificate.subject));
    let (clock, confidence) = match Clock::of(case, &certificate) {
        Clock::Off(clock) => return clock_off(case, Code::TlsExpired, &what, &clock),
        Clock::Unknown => ("", Confidence::Likely),
        Clock::Right => (" This machine's clock agrees with the server's.", Confidence::Proven),
    };
    let sentence = format!("{what}.{clock}{}", others(case));
    let remedy = match place {
        Place::Server => {
            format!("Renew the certificate bound to port {} on {}.", case.ask.port, case.ask.host)
        }
        Place::Issuer => format!(
            "Replace the expired certificate of the issuer in what {} presents on port {}.",
            case.ask.host, case.ask.port
        ),
        Place::Authority => format!(
            "Bind a certificate from an authority that is still valid to port {} on {}, and have all clients trust that one; where only \
             the authority's own certificate was renewed, install the new one on them (here: in the trust store, or in the file that \
             the profile names as `ca`).",
            case.ask.port, case.ask.host
        ),
    };
    Judgement::fail(Code::TlsExpired, confidence, sentence).remedy(Who::TargetHost, remedy)
}

pub(super) fn not_yet_valid(case: &Case) -> Judgement {
    let (place, certificate) = at_fault(case);
    let what = format!(
        "{} of {} ({}) is valid only from {}",
        place.subject(),
        case.target(),
        shown(&certificate.subject),
        if certificate.not_before.is_empty() { "a later time" } else { &certificate.not_before }
    );
    let others = others(case);
    match Clock::of(case, &certificate) {
        Clock::Off(clock) => clock_off(case, Code::TlsNotYetValid, &what, &clock),
        Clock::Right => {
            let sentence =
                format!("{what}: it was made too early, for this machine's clock agrees with the server's.{others}");
            Judgement::fail(Code::TlsNotYetValid, Confidence::Proven, sentence).remedy(
                Who::TargetHost,
                format!(
                    "Bind a certificate that is valid now to port {} on {}, and look at the clock of whoever issued this one.",
                    case.ask.port, case.ask.host
                ),
            )
        }
        Clock::Unknown => {
            let sentence =
                format!("{what}: this machine's clock may be wrong, or the certificate was made too early.{others}");
            Judgement::fail(Code::TlsNotYetValid, Confidence::Likely, sentence).remedy(
                Who::ThisHost,
                "Compare this machine's date, time and time zone with the server's first; if they are right, have the certificate issued anew.",
            )
        }
    }
}

/// What the target's own time says of this machine's clock.
enum Clock {
    /// The target did not tell its time, or by it the certificate is out of its dates as well.
    Unknown,
    Right,
    /// By the target's clock the certificate is valid; the words say how far apart the two are.
    Off(String),
}

impl Clock {
    fn of(case: &Case, certificate: &Presented) -> Self {
        let evidence = case.evidence;
        let ahead = evidence.fact(Fact::ClockAhead).and_then(serde_json::Value::as_i64);
        let there = evidence.text(Fact::HostTime).and_then(|time| time.parse::<Timestamp>().ok());
        let (Some(ahead), Some(there)) = (ahead, there) else { return Self::Unknown };
        if ahead.abs() <= AGREE {
            return Self::Right;
        }
        let within = |from: &str, until: &str| {
            Some((from.parse::<Timestamp>().ok()?..=until.parse::<Timestamp>().ok()?).contains(&there))
        };
        if within(&certificate.not_before, &certificate.not_after) != Some(true) {
            return Self::Unknown;
        }
        let side = if ahead > 0 { "ahead of" } else { "behind" };
        Self::Off(format!("{} {side} that of {}", lasting(ahead.unsigned_abs()), case.ask.host))
    }
}

fn clock_off(case: &Case, code: Code, what: &str, clock: &str) -> Judgement {
    let sentence = format!(
        "{what}, but by this machine's clock only: it is {clock}, by which the certificate is valid. This machine's clock is wrong, or the \
         server's."
    );
    Judgement::fail(code, Confidence::Likely, sentence).remedy(
        Who::ThisHost,
        format!(
            "Set this machine's date, time and time zone, and see that its time service works (Windows: `w32tm /query /status`). If they are right, set \
             those of {}.",
            case.ask.host
        ),
    )
}

/// A duration in its largest whole unit.
fn lasting(seconds: u64) -> String {
    let (count, unit) = match seconds {
        172_800.. => (seconds / 86_400, "days"),
        7_200.. => (seconds / 3_600, "hours"),
        _ => (seconds / 60, "minutes"),
    };
    format!("{count} {unit}")
}
