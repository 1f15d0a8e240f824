//! What a file server's NT status says of a login or a share. The network is fine wherever one was given.

use super::{Story, user};
use crate::model::code::Code;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::secret::Account;
use crate::wire::smb::status;

/// A refusal of an account, by the stage that it had come to.
pub(super) fn judge(story: &Story, share: &str, account: &Account) -> Judgement {
    match (story.stage, story.status) {
        (Some("negotiate"), _) if story.case.evidence.holds(Fact::Guest) => guest(story, account),
        (Some("negotiate"), Some(status)) => login(story, account, status),
        (Some("session"), Some(status::BAD_NETWORK_NAME | status::BAD_DEVICE_TYPE)) => missing(story, share),
        (Some("session"), Some(status::ACCESS_DENIED | status::NETWORK_ACCESS_DENIED)) => {
            no_access(story, share, account)
        }
        (Some("session"), Some(status)) => other(story, &format!("to give the share `{share}`"), status),
        (Some("tree"), Some(status::ACCESS_DENIED) | None) => no_listing(story, share, account),
        (_, Some(status)) => other(story, &format!("to list the share `{share}`"), status),
        (_, None) => other(story, "the login", 0),
    }
}

/// A refusal with a status that has no code of its own.
pub(super) fn other(story: &Story, what: &str, status: u32) -> Judgement {
    let sentence = format!(
        "{} speaks SMB but refused {what} with {}; the network is fine.",
        story.target,
        status::describe(status)
    );
    Judgement::fail(Code::SmbAccessDenied, Confidence::Likely, sentence)
        .remedy(Who::TargetHost, "See the file server's log for the reason.")
}

fn login(story: &Story, account: &Account, status: u32) -> Judgement {
    let (target, user) = (&story.target, user(account));
    if status == status::ACCESS_DENIED {
        let sentence = format!(
            "{target} refused the session of {user} before looking at the password: a policy of the file server, such as \
             required encryption or a list of allowed addresses; the network is fine."
        );
        return Judgement::fail(Code::SmbAccessDenied, Confidence::Likely, sentence)
            .remedy(Who::TargetHost, "Let this client log in to the file server over the network.");
    }
    let Some((reason, who, cure)) = reason(status) else {
        return other(story, &format!("the login of {user}"), status);
    };
    let sentence = format!("{target} speaks SMB, but the login of {user} failed: {reason}; the network is fine.");
    Judgement::fail(Code::SmbLoginFailed, Confidence::Proven, sentence).remedy(who, cure)
}

/// The account is not known there, and guests are let in.
fn guest(story: &Story, account: &Account) -> Judgement {
    let (target, user) = (&story.target, user(account));
    let cure =
        format!("Create the account {user} on the file server, or correct the endpoint's `user` in the profile.");
    let (code, sentence) = if story.signing_required() {
        let why = "and signs everything, which guests can't do; the network is fine.";
        (Code::SmbSigningRequired, format!("{target} does not know {user}, would let it in only as a guest, {why}"))
    } else {
        let why = "which Windows clients refuse by default; the network is fine.";
        (Code::SmbLoginFailed, format!("{target} does not know {user} and would let it in only as a guest, {why}"))
    };
    Judgement::fail(code, Confidence::Proven, sentence).remedy(Who::TargetHost, cure)
}

/// Why a login failed, and who can do what.
fn reason(status: u32) -> Option<(&'static str, Who, &'static str)> {
    let account = Who::TargetHost;
    Some(match status {
        status::LOGON_FAILURE | status::WRONG_PASSWORD | status::NO_SUCH_USER => {
            ("the user or the password is wrong", Who::Profile, "Correct the endpoint's `user` and `password`.")
        }
        status::ACCOUNT_DISABLED => ("the account is disabled", account, "Enable the account, or name another one."),
        status::ACCOUNT_LOCKED_OUT => ("the account is locked out", account, "Unlock the account."),
        status::ACCOUNT_EXPIRED => ("the account has expired", account, "Extend the account, or name another one."),
        status::PASSWORD_EXPIRED => ("the password has expired", account, "Change the account's password."),
        status::PASSWORD_MUST_CHANGE => {
            ("the password must be changed at the first login", account, "Change the account's password.")
        }
        status::ACCOUNT_RESTRICTION => {
            ("a restriction of the account, such as an empty password", account, "Lift the account's restriction.")
        }
        status::INVALID_LOGON_HOURS => {
            ("the account may not log in at this time of day", account, "Change the account's logon hours.")
        }
        status::INVALID_WORKSTATION => {
            ("the account may not log in from this computer", account, "Change the account's list of workstations.")
        }
        status::LOGON_TYPE_NOT_GRANTED => (
            "the account may not log in over the network",
            account,
            "Grant `Access this computer from the network` on the file server.",
        ),
        status::NO_LOGON_SERVERS | status::TRUST_FAILURE => (
            "the file server reaches no domain controller that could check it",
            account,
            "See that the file server reaches its domain controllers.",
        ),
        status::TIME_DIFFERENCE_AT_DC => {
            ("the clocks of the file server and its domain controller differ", account, "Set both clocks.")
        }
        _ => return None,
    })
}

fn missing(story: &Story, share: &str) -> Judgement {
    let sentence =
        format!("{} speaks SMB and accepted the login, but has no share `{share}`; the network is fine.", story.target);
    Judgement::fail(Code::SmbShareMissing, Confidence::Proven, sentence).remedy(
        Who::TargetHost,
        format!("Share a folder as `{share}`, or correct the endpoint's `share` in the profile."),
    )
}

fn no_access(story: &Story, share: &str, account: &Account) -> Judgement {
    let (target, user) = (&story.target, user(account));
    let sentence = format!(
        "{target} speaks SMB and accepted the login of {user}, but denies it the share `{share}`; the network is fine."
    );
    let cure = if share.ends_with('$') {
        format!(
            "Use a domain account that is an administrator there. A local administrator gets into `{share}` only where \
             the registry value LocalAccountTokenFilterPolicy is 1 on the host."
        )
    } else {
        format!("Permit {user} on the share `{share}`.")
    };
    Judgement::fail(Code::SmbAccessDenied, Confidence::Proven, sentence).remedy(Who::TargetHost, cure)
}

fn no_listing(story: &Story, share: &str, account: &Account) -> Judgement {
    let user = user(account);
    let sentence = format!(
        "The share `{share}` on {} can be mapped by {user}, who may not list it, though; the network is fine.",
        story.target
    );
    Judgement::warn(Code::SmbAccessDenied, Confidence::Proven, sentence).remedy(
        Who::TargetHost,
        format!("Permit {user} to read the folder behind `{share}` (the folder's own permissions, not the share's)."),
    )
}
