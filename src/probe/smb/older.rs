//! Older ways in which a file server may still answer: SMB1, and a NetBIOS session on port 139.
//!
//! What is seen here explains the failure of the way that was asked for and never replaces it: the steps of these attempts
//! are kept only where they succeed.

use std::net::SocketAddr;

use super::talk::Talk;
use crate::model::ask::Ask;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::net::trace::Trace;
use crate::net::{Stopped, tcp};
use crate::wire::smb::frame::{self, Kind};
use crate::wire::smb::negotiate::dialect;
use crate::wire::smb::{NETBIOS_PORT, smb1};

/// The dialects that may run over NetBIOS (MS-SMB2 2.1): all but 3.1.1.
const OVER_NETBIOS: [u16; 4] = [dialect::SMB_2_0_2, dialect::SMB_2_1, dialect::SMB_3_0, dialect::SMB_3_0_2];

/// Asks in SMB1 whether SMB1 is all that the server speaks; says so in the facts.
pub(super) async fn look_for_smb1(ask: &Ask, address: SocketAddr, trace: &Trace) {
    let apart = trace.fork();
    if only_smb1(ask, address, &apart).await == Ok(true) {
        trace.absorb(&apart.finish(Failure::TimedOut));
        trace.fact(Fact::Dialect, "1");
    }
}

async fn only_smb1(ask: &Ask, address: SocketAddr, trace: &Trace) -> Result<bool, Stopped> {
    let stream = tcp::connect(address, ask, trace).await?;
    let request = frame::message(&smb1::request(&[smb1::NT_LM_0_12, smb1::SMB_2_0_2, smb1::SMB_2_WILDCARD]));
    let (_, answer, step) = Talk::new(stream, address, trace).exchange(&request, "SMB1 NEGOTIATE").await?;
    step.pass();
    Ok(smb1::chosen(&answer).is_ok())
}

/// Asks on port 139 whether SMB is spoken there; says so in the facts.
pub(super) async fn look_for_netbios(ask: &Ask, address: SocketAddr, trace: &Trace) {
    let apart = trace.fork();
    let answers = over_netbios(ask, SocketAddr::new(address.ip(), NETBIOS_PORT), &apart).await.is_ok();
    if answers {
        trace.absorb(&apart.finish(Failure::TimedOut));
    }
    trace.fact(Fact::NetbiosAnswers, answers);
}

async fn over_netbios(ask: &Ask, address: SocketAddr, trace: &Trace) -> Result<(), Stopped> {
    let stream = tcp::connect(address, ask, trace).await?;
    let mut talk = Talk::new(stream, address, trace);
    let (kind, _, step) = talk.exchange(&frame::session_request(), "NetBIOS session request").await?;
    if kind != Kind::SessionAccepted {
        return Err(step.fail(Failure::Unexpected));
    }
    step.pass();
    talk.negotiate_with(&OVER_NETBIOS, &ask.token).await?;
    Ok(())
}
