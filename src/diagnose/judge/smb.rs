//! What the evidence of SMB file shares (MS-SMB2) means, once the connection stage is passed.

mod refusal;

use super::{Case, reach, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::{Probe, Smb};
use crate::model::secret::Account;
use crate::wire::smb::status;

pub(super) fn judge(case: &Case) -> Judgement {
    let Some(story) = Story::of(case) else { return unforeseen(case) };
    match case.evidence.stopped_at().and_then(|step| Some((step.kind, step.error?))) {
        None => story.told(),
        Some((kind, failure)) if story.stage.is_none() => story.without_negotiate(kind, failure),
        Some((_, failure)) => story.after_negotiate(failure),
    }
}

/// A connection that could not be opened, where SMB has more to say than that.
pub(super) fn unconnected(case: &Case, failure: Failure) -> Judgement {
    let first = reach::judge(case, failure);
    if case.evidence.text(Fact::Stage).is_some() {
        let sentence = format!(
            "{} answered SMB on a first connection, but a second one could not be opened: a limit on connections, or the way \
             fails now and then.",
            case.target()
        );
        return Judgement::warn(Code::Flaky, Confidence::Likely, sentence);
    }
    if !case.evidence.holds(Fact::NetbiosAnswers) {
        return first;
    }
    let sentence = format!(
        "{} SMB does answer on TCP 139 of the same host (NetBIOS): only clients on which NetBIOS over TCP/IP is switched on \
         can use that.",
        first.sentence
    );
    Judgement { sentence, ..first }
}

/// The facts of one conversation, as the sentences need them.
struct Story<'a> {
    case: &'a Case<'a>,
    target: String,
    share: Option<&'a str>,
    account: Option<&'a Account>,
    /// How far it came; absent where NEGOTIATE was not answered.
    stage: Option<&'a str>,
    status: Option<u32>,
}

impl<'a> Story<'a> {
    fn of(case: &'a Case<'a>) -> Option<Self> {
        let Probe::Smb(Smb { share, account, .. }) = &case.ask.probe else { return None };
        Some(Self {
            case,
            target: case.target(),
            share: share.as_deref(),
            account: account.as_ref(),
            stage: case.evidence.text(Fact::Stage),
            status: case.evidence.text(Fact::NtStatus).and_then(status::parse),
        })
    }

    fn dialect(&self) -> &str {
        self.case.evidence.text(Fact::Dialect).unwrap_or("2")
    }

    fn signing_required(&self) -> bool {
        self.case.evidence.text(Fact::Signing) == Some("required")
    }

    /// Nothing failed on the way.
    fn told(&self) -> Judgement {
        let (target, dialect) = (&self.target, self.dialect());
        let signing = if self.signing_required() { ", with signing required" } else { "" };
        match (self.share, self.account) {
            (share, _) if self.case.evidence.holds(Fact::Echoed) => Judgement::pass(format!(
                "{target} answers SMB {dialect}: the way is open. A bothways responder answers in place of the real {}.",
                share.map_or_else(|| "file server".to_owned(), |share| format!("share `{share}`"))
            )),
            (None, _) => Judgement::pass(format!("{target} answers SMB {dialect}{signing}.")),
            (Some(share), Some(account)) => self.mapped(share, account),
            (Some(share), None) if self.stage == Some("tree") => Judgement::pass(format!(
                "The share `{share}` on {target} can be mapped without a user (SMB {dialect})."
            )),
            (Some(share), None) => self.needs_credentials(share),
        }
    }

    fn mapped(&self, share: &str, account: &Account) -> Judgement {
        let (target, user, dialect) = (&self.target, user(account), self.dialect());
        let entries = match self.case.evidence.number(Fact::Entries) {
            Some(1) => ": 1 entry".to_owned(),
            Some(entries) => format!(": {entries} entries"),
            None => String::new(),
        };
        Judgement::pass(format!("The share `{share}` on {target} can be mapped by {user}{entries} (SMB {dialect})."))
    }

    fn needs_credentials(&self, share: &str) -> Judgement {
        let hint = match (self.stage, self.status) {
            (Some("session"), Some(status::BAD_NETWORK_NAME)) => {
                "; a visitor without a user is told that there is no such share, which Windows may say of any share"
            }
            (Some("session"), Some(status::ACCESS_DENIED)) => "; a visitor without a user is denied access to it",
            _ => "",
        };
        let sentence = format!(
            "{} answers SMB {}; whether the share `{share}` can be mapped needs a user and a password{hint}.",
            self.target,
            self.dialect()
        );
        let endpoint = &self.case.flow.endpoint;
        Judgement::warn(Code::NeedsCredentials, Confidence::Proven, sentence)
            .remedy(Who::Profile, format!("Give the endpoint `{endpoint}` a `user` and a `password: {{ env: NAME }}`."))
    }

    /// It ended before the server had said which dialect it speaks.
    fn without_negotiate(&self, kind: StepKind, failure: Failure) -> Judgement {
        let target = &self.target;
        if self.case.evidence.text(Fact::Dialect) == Some("1") {
            return dialect(format!("{target} speaks only SMB1, which current Windows versions no longer do."));
        }
        let open = |code, confidence, sentence: String| {
            Judgement::fail(code, confidence, sentence).remedy(Who::Network, self.case.rule())
        };
        match (failure, self.status) {
            (Failure::Unexpected, Some(status::NOT_SUPPORTED | status::INVALID_PARAMETER)) => {
                dialect(format!("{target} speaks SMB, but none of the dialects from 2.0.2 to 3.1.1."))
            }
            (Failure::Unexpected, Some(status)) => refusal::other(self, "to negotiate", status),
            // Samba answers so whom it does not serve (RFC 1002 4.3.4), before any SMB is spoken.
            (Failure::Unexpected, None) => Judgement::fail(
                Code::SmbAccessDenied,
                Confidence::Proven,
                format!("{target} is a file server, but refuses every session from this machine's address."),
            )
            .remedy(
                Who::TargetHost,
                "Let the file server serve this machine's address (in Samba: `hosts allow` and `hosts deny`).",
            ),
            (Failure::Malformed, _) => self.wrong_service(),
            (Failure::TimedOut, _) => open(Code::Silent, Confidence::Likely, self.silence()).remedy(
                Who::Network,
                format!(
                    "{} It must let the content through as well: look for inspection of SMB in between, and for a file \
                     server that hangs.",
                    self.case.rule()
                ),
            ),
            (Failure::Closed, _) => open(
                Code::ClosedAfterConnect,
                Confidence::Likely,
                format!(
                    "{target} accepted the connection and closed it when SMB was spoken: a device in between, or a server \
                     that does not serve this address."
                ),
            ),
            (Failure::Reset, _) if kind == StepKind::Request => open(
                Code::ResetAfterConnect,
                Confidence::Likely,
                format!("{target} accepted the connection and reset it before anything was said."),
            ),
            (Failure::Reset, _) => open(
                Code::ResetOnPayload,
                Confidence::Likely,
                format!(
                    "{target} accepted the connection and reset it as soon as SMB was spoken, as firewalls that look \
                         into the content do, and servers that do not serve this address."
                ),
            ),
            _ => unforeseen(self.case),
        }
    }

    fn wrong_service(&self) -> Judgement {
        let sentence =
            format!("{} accepted the connection but did not speak SMB: something else listens there.", self.target);
        Judgement::fail(Code::WrongService, Confidence::Proven, sentence).remedy(
            Who::TargetHost,
            format!("See what listens on TCP {}, and give the port to the file server.", self.case.ask.port),
        )
    }

    fn silence(&self) -> String {
        let began = self.case.evidence.number(Fact::ReceivedBytes).unwrap_or(0);
        match (self.stage, began) {
            (Some(_), _) => {
                format!("{} answers SMB {}, but went silent during the login.", self.target, self.dialect())
            }
            (None, 0) => format!("{} accepted the connection but never answered the SMB negotiation.", self.target),
            (None, bytes) => format!("{} began to answer ({bytes} bytes) and then went silent.", self.target),
        }
    }

    /// SMB is spoken there; the session, the share or its listing was not reached.
    fn after_negotiate(&self, failure: Failure) -> Judgement {
        let target = &self.target;
        match (failure, self.share, self.account) {
            (Failure::TimedOut, ..) => {
                Judgement::fail(Code::Silent, Confidence::Likely, self.silence()).remedy(Who::Network, self.case.rule())
            }
            (Failure::Closed | Failure::Reset | Failure::Malformed, Some(share), None) => self.needs_credentials(share),
            (Failure::Closed, ..) => Judgement::fail(
                Code::ClosedAfterConnect,
                Confidence::Likely,
                format!("{target} answered the SMB negotiation and closed the connection during the login."),
            )
            .remedy(Who::TargetHost, "See the file server's log for the reason."),
            (Failure::Reset, ..) => Judgement::fail(
                Code::ResetOnPayload,
                Confidence::Likely,
                format!("{target} answered the SMB negotiation, and the connection was reset during the login."),
            )
            .remedy(Who::Network, self.case.rule()),
            (Failure::Unexpected, Some(share), Some(account)) => refusal::judge(self, share, account),
            (Failure::Malformed, ..) => Judgement::error(format!(
                "{target} answers SMB {}, but this tool could not follow its login ({}). Please report it with the run \
                 record.",
                self.dialect(),
                self.case.evidence.text(Fact::Detail).unwrap_or("no details")
            )),
            _ => unforeseen(self.case),
        }
    }
}

fn dialect(sentence: String) -> Judgement {
    Judgement::fail(Code::SmbDialect, Confidence::Proven, sentence)
        .remedy(Who::TargetHost, "Switch on SMB 2 or 3 on the file server, 2.0.2 at least.")
}

/// The account as administrators write it.
fn user(account: &Account) -> String {
    match &account.domain {
        Some(domain) => format!("`{domain}\\{}`", account.user),
        None => format!("`{}`", account.user),
    }
}
