//! What the login and the query mean, once PRELOGIN is answered: the network is fine, or nearly so.

use super::who;
use crate::diagnose::judge::{Case, reach};
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::Confidence::{Likely, Proven};
use crate::model::finding::{Judgement, Who};

/// An account is there, and still no login was tried.
pub(super) fn not_tried(case: &Case, windows: bool) -> Judgement {
    let (target, who) = (case.target(), who(case));
    if windows {
        let sentence = format!(
            "{target} answered a PRELOGIN as {who}; the login was not tried, because the profile gives a Windows \
             account, which can't be used from here."
        );
        return Judgement::warn(Code::NeedsCredentials, Proven, sentence).remedy(
            Who::Profile,
            "Give the endpoint a SQL Server login (a `user` without a `domain`), or none to check the way alone.",
        );
    }
    let sentence = format!(
        "{target} answered a PRELOGIN as {who}; the login was not tried, because the server has no encryption and \
         the password would travel readable."
    );
    Judgement::warn(Code::SqlEncryptionMismatch, Proven, sentence)
        .remedy(Who::Product, "Set up encryption for the instance in SQL Server Configuration Manager.")
}

/// PRELOGIN was answered, and the login or the query failed.
pub(super) fn failed(case: &Case, failure: Failure) -> Judgement {
    let (target, who) = (case.target(), who(case));
    let number = case.evidence.number(Fact::LoginError);
    let detail = case.evidence.text(Fact::Detail).unwrap_or("no reason was given");
    match (failure, number, case.evidence.holds(Fact::LoggedIn)) {
        (Failure::Unexpected, Some(number), _) => refused(case, number),
        (Failure::Unexpected, None, true) => Judgement::fail(
            Code::SqlLoginFailed,
            Proven,
            format!("{who} on {target} took the login but refused the query: {detail}. The network is fine."),
        )
        .remedy(
            Who::Product,
            "Give the login the right to run the query in that database, or correct `query` and `database` in the \
             profile.",
        ),
        (Failure::Unexpected, None, false) => Judgement::unknown(
            Code::SqlLoginFailed,
            format!(
                "{target} answered a PRELOGIN as {who}, but the login could not be carried through from here: \
                 {detail}. A login with the product's own client would decide it."
            ),
        ),
        (Failure::TimedOut, ..) => Judgement::fail(
            Code::Silent,
            Likely,
            format!("{target} answered a PRELOGIN as {who}, but then left the login unanswered."),
        )
        .remedy(
            Who::TargetHost,
            "Look at SQL Server's error log at that time; where it shows no login, let the network team look for \
             lost large packets.",
        ),
        (Failure::Closed | Failure::Reset, ..) => Judgement::fail(
            if failure == Failure::Reset { Code::ResetOnPayload } else { Code::ClosedAfterConnect },
            Likely,
            format!("{target} answered a PRELOGIN as {who}, but ended the connection during the login."),
        )
        .remedy(
            Who::TargetHost,
            "Look at SQL Server's error log at that time; where it shows nothing, a device on the way ended the \
             connection.",
        ),
        _ => reach::judge(case, failure),
    }
}

/// SQL Server's own error numbers at login; the network is fine.
fn refused(case: &Case, number: u64) -> Judgement {
    let what = match number {
        18456 => "user or password is wrong, or the login is disabled",
        18452 => "only Windows logins are allowed, or the account's domain is not trusted",
        18470 => "the login is disabled",
        18486 => "the login is locked out",
        18487 | 18488 => "the password has expired or must be changed",
        18401 | 17142 | 6005 => "the server is starting, pausing or stopping",
        17809 | 10928 | 10929 => "the server takes no more connections",
        4060 | 4063 | 4064 => "the database does not exist, or this login may not open it",
        _ => "see the server's error log",
    };
    let sentence = format!(
        "The way to {} is open and {} answers, but it refused the login: error {number} ({what}).",
        case.target(),
        who(case)
    );
    let text = format!(
        "Correct `user`, `password` or `database` of the endpoint `{}`, or the login on the server; SQL Server's \
         error log on {} says more (the state after error {number}). No firewall rule is needed.",
        case.flow.endpoint, case.ask.host
    );
    Judgement::fail(Code::SqlLoginFailed, Proven, sentence).remedy(Who::Product, text)
}
