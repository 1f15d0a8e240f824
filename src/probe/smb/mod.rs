//! The asking half of SMB file shares (MS-SMB2).
//!
//! NEGOTIATE needs no credentials and is spoken by our own wire code. With a share and an account the `smb` crate then maps
//! the share over a second connection; with a share alone, an anonymous visitor asks for it on the first one.
//! What became of it is in the steps and facts; what it means is left to the judge.

mod anonymous;
#[cfg(feature = "smb")]
mod line;
#[cfg(feature = "smb")]
mod login;
mod older;
mod talk;

use std::net::SocketAddr;

use talk::Talk;

use crate::model::ask::Ask;
use crate::model::fact::Fact;
use crate::model::probe::Smb;
use crate::model::secret::Account;
use crate::net::trace::Trace;
use crate::net::{Net, Stopped, tcp};
use crate::wire::smb;

pub(super) async fn run(
    settings: &Smb,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    trace.fact(Fact::Token, ask.token.as_str());
    if let Some(share) = &settings.share {
        trace.fact(Fact::Share, share.as_str());
    }
    let stream = match tcp::connect(address, ask, trace).await {
        Ok(stream) => stream,
        Err(stopped) => {
            if address.port() == smb::PORT {
                older::look_for_netbios(ask, address, trace).await;
            }
            return Err(stopped);
        }
    };
    let mut talk = Talk::new(stream, address, trace);
    let negotiated = talk.negotiate(&ask.token, settings.padding).await;
    if talk.hung_up() {
        older::look_for_smb1(ask, address, trace).await;
    }
    let answer = negotiated?;
    let answered_by_responder = answer.server.token().as_ref() == Some(&ask.token);
    trace.fact(Fact::Echoed, answered_by_responder);
    match (&settings.share, &settings.account) {
        // A responder has no share to give: what it can prove is proved.
        (Some(_), _) if answered_by_responder => Ok(()),
        (None, _) => Ok(()),
        (Some(share), None) => anonymous::visit(&mut talk, &ask.host, share).await,
        (Some(share), Some(account)) => {
            drop(talk);
            map(share, account, ask, address, net, trace).await
        }
    }
}

/// Asks on the port of NetBIOS whether the file server answers there; says so in the facts.
pub async fn look_for_netbios(ask: &Ask, address: SocketAddr, trace: &Trace) {
    older::look_for_netbios(ask, address, trace).await;
}

#[cfg(feature = "smb")]
async fn map(
    share: &str,
    account: &Account,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    login::map(share, account, ask, address, net, trace).await
}

#[cfg(not(feature = "smb"))]
#[expect(clippy::unused_async, reason = "of the same shape as the one that really maps")]
async fn map(
    share: &str,
    account: &Account,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    use crate::model::evidence::{Failure, StepKind};
    let _ = (share, account, ask, net);
    trace.fact(Fact::MissingFeature, "smb");
    Err(trace.begin(StepKind::Request, Some(address.to_string())).fail(Failure::NotBuilt))
}
