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

use crate::model::ask::Ask;
use crate::model::probe::Probe;
use crate::net::trace::Trace;
use crate::net::{Net, Stopped};

/// Asks one address. `address` is the first hop's: the proxy's where the ask goes through one.
///
/// # Errors
/// [`Stopped`] where the conversation ended early; the trace holds everything that was seen.
pub async fn run(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) -> Result<(), Stopped> {
    match &ask.probe {
        Probe::Http(settings) => http::run(settings, ask, address, net, trace).await,
        Probe::Websocket(settings) => websocket::run(settings, ask, address, net, trace).await,
        Probe::Tcp(settings) => tcp::run(settings, ask, address, net, trace).await,
        Probe::Sql(settings) => sql::run(settings, ask, address, net, trace).await,
        Probe::SqlBrowser(settings) => sql_browser::run(settings, ask, address, net, trace).await,
        Probe::Smb(settings) => smb::run(settings, ask, address, net, trace).await,
        Probe::Tftp(settings) => tftp::run(settings, ask, address, net, trace).await,
    }
}
