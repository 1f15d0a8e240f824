//! A visit without a user: what a file server tells nobody about a share.
//!
//! A refusal here is no failure of the flow, so the steps pass and the facts say what was answered.

use super::talk::{Answer, Talk};
use crate::model::fact::Fact;
use crate::net::Stopped;
use crate::wire::smb::header::command;
use crate::wire::smb::negotiate::SIGNING_ENABLED;
use crate::wire::smb::session::{self, SetupRequest, SetupResponse, TreeResponse};
use crate::wire::smb::{ntlm, status};

/// Logs in as nobody and asks for `\\host\share`.
pub(super) async fn visit(talk: &mut Talk<'_>, host: &str, share: &str) -> Result<(), Stopped> {
    let trace = talk.trace();
    trace.fact(Fact::Anonymous, true);
    let Some(challenge) = round(talk, ntlm::negotiate(), status::MORE_PROCESSING_REQUIRED).await? else {
        return Ok(());
    };
    let Ok(last) = ntlm::authenticate_as_nobody(&challenge) else { return Ok(()) };
    if round(talk, last, status::SUCCESS).await?.is_none() {
        return Ok(());
    }
    trace.fact(Fact::Stage, "session");
    let head = talk.next_header(command::TREE_CONNECT);
    let (answer, step) = talk.ask(session::tree_request(&head, host, share), "TREE_CONNECT as nobody").await?;
    if answer.head.status != status::SUCCESS {
        talk.refused(answer.head.status);
    } else if let Err(malformed) = TreeResponse::decode(&answer.message) {
        return Err(talk.malformed(step, &answer.message, malformed));
    } else {
        trace.fact(Fact::Stage, "tree");
    }
    step.pass_with(status::describe(answer.head.status));
    Ok(())
}

/// One round of the login; the server's token where it answered with the status that carries on.
async fn round(talk: &mut Talk<'_>, token: Vec<u8>, wanted: u32) -> Result<Option<Vec<u8>>, Stopped> {
    let head = talk.next_header(command::SESSION_SETUP);
    let request = SetupRequest { security_mode: SIGNING_ENABLED.to_le_bytes()[0], token };
    let (Answer { head, message }, step) = talk.ask(request.encode(&head), "SESSION_SETUP as nobody").await?;
    if head.status != wanted {
        talk.refused(head.status);
        step.pass_with(status::describe(head.status));
        return Ok(None);
    }
    let response = match SetupResponse::decode(&message) {
        Ok(response) => response,
        Err(malformed) => return Err(talk.malformed(step, &message, malformed)),
    };
    talk.session = head.session_id;
    step.pass_with(status::describe(head.status));
    Ok(Some(response.token))
}
