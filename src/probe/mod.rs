//! The asking half of every protocol: one file each, named by the protocol's word.
//!
//! A probe reads as its list of steps and holds no timeouts, no error mapping and no judging.
//!
//! # Adding a protocol
//! A settings struct and variants in `model/probe.rs`, one file here, one in `responder/`, one in `diagnose/judge/`,
//! one in `tests/`, and one in `wire/` where its messages are binary; the compiler asks for the rest.

pub mod http;
pub mod smb;
pub mod sql;
pub mod sql_browser;
pub mod tcp;
pub mod tftp;
pub mod websocket;

use std::net::SocketAddr;

use futures_util::future::BoxFuture;

use crate::model::ask::Ask;
use crate::model::probe::Probe;
use crate::net::trace::Trace;
use crate::net::{Net, Stopped};

/// Asks one address. `address` is the first hop's: the proxy's where the ask goes through one.
///
/// # Errors
/// [`Stopped`] where the conversation ended early; the trace holds everything that was seen.
pub fn run<'a>(
    ask: &'a Ask,
    address: SocketAddr,
    net: &'a Net,
    trace: &'a Trace,
) -> BoxFuture<'a, Result<(), Stopped>> {
    match &ask.probe {
        Probe::Http(settings) => Box::pin(http::run(settings, ask, address, net, trace)),
        Probe::Websocket(settings) => Box::pin(websocket::run(settings, ask, address, net, trace)),
        Probe::Tcp(settings) => Box::pin(tcp::run(settings, ask, address, net, trace)),
        Probe::Sql(settings) => Box::pin(sql::run(settings, ask, address, net, trace)),
        Probe::SqlBrowser(settings) => Box::pin(sql_browser::run(settings, ask, address, net, trace)),
        Probe::Smb(settings) => Box::pin(smb::run(settings, ask, address, net, trace)),
        Probe::Tftp(settings) => Box::pin(tftp::run(settings, ask, address, net, trace)),
    }
}

/// Whether a datagram that is sent only once brings an answer; no limit of time of its own. Other protocols send none.
pub async fn is_answered(ask: &Ask, address: SocketAddr, trace: &Trace) -> bool {
    match &ask.probe {
        Probe::SqlBrowser(settings) => sql_browser::is_answered(settings, ask, address, trace).await,
        Probe::Tftp(settings) => tftp::is_answered(settings, ask, address, trace).await,
        _ => false,
    }
}
