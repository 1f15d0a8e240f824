//! The answering half of every protocol: just enough of the real one to prove the path when the service is not there yet.
//!
//! # Safety (what strangers get)
//! Only [`Peers`] are answered; a stranger's connection is closed without a byte, a stranger's datagram is ignored. Where a
//! port has the control channel, a stranger may ask for that and nothing else ([`control`]). Whatever may be used is
//! bounded ([`Limits`]); nothing is read from or written to disk. `docs/security.md` says the same to users.

mod certificate;
mod control;
mod datagram;
mod door;
pub mod http;
mod limits;
mod metered;
mod peers;
mod places;
mod receipts;
pub mod smb;
pub mod sql;
pub mod sql_browser;
mod stream;
pub mod tcp;
pub mod tftp;
pub mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use tokio::task::JoinHandle;

use crate::model::probe::Protocol;
use places::Room;
use stream::Gate;

pub use certificate::Certificate;
pub use control::{ControlHook, open_control};
pub use door::{Door, Met};
pub use limits::Limits;
pub use peers::{Admission, Peers};
pub use receipts::Receipts;

/// What a responder answers as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// HTTP or HTTPS, and WebSocket upgrades on the same port.
    Http(http::Service),
    Tcp(tcp::Service),
    Sql(sql::Service),
    SqlBrowser(sql_browser::Service),
    Smb(smb::Service),
    Tftp(tftp::Service),
}

impl Service {
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Http(_) => Protocol::Http,
            Self::Tcp(_) => Protocol::Tcp,
            Self::Sql(_) => Protocol::Sql,
            Self::SqlBrowser(_) => Protocol::SqlBrowser,
            Self::Smb(_) => Protocol::Smb,
            Self::Tftp(_) => Protocol::Tftp,
        }
    }
}

/// What all responders of one run share.
#[derive(Debug)]
pub struct Shared {
    pub peers: Peers,
    pub limits: Limits,
    pub receipts: Arc<Receipts>,
    /// Presented wherever TLS is spoken.
    pub certificate: Certificate,
    /// For the connections of peers, on all ports together.
    places: Arc<Room>,
    /// Where a peer shows addresses that are not known as its own.
    pub door: Door,
    /// For strangers that ask for the control channel.
    strangers: Arc<Room>,
    /// For strangers that are listened to at the door.
    doorstep: Arc<Room>,
}

impl Shared {
    /// With the usual limits; receipts count their times from now.
    #[must_use]
    pub fn new(peers: Peers, certificate: Certificate) -> Self {
        Self::within(Limits::default(), peers, certificate)
    }

    /// [`Shared::new`] with other limits.
    #[must_use]
    pub fn within(limits: Limits, peers: Peers, certificate: Certificate) -> Self {
        Self {
            peers,
            limits,
            receipts: Arc::new(Receipts::new(Instant::now(), &limits)),
            certificate,
            places: Room::new(limits.connections_overall, limits.connections_per_address),
            door: Door::default(),
            strangers: Room::new(limits.strangers, limits.strangers_per_address),
            doorstep: Room::new(limits.door_places, limits.door_places_per_address),
        }
    }
}

impl Shared {
    /// How many connections these addresses have open at the moment, on all ports together.
    #[must_use]
    pub fn connections_of(&self, addresses: &[IpAddr]) -> usize {
        addresses.iter().map(|address| self.places.taken_by(*address)).sum()
    }
}

/// A responder that is answering. Dropping it stops it and ends its conversations.
#[derive(Debug)]
pub struct Open {
    /// Where it really listens (the port asked for may have been 0).
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds a responder's port and begins to answer.
///
/// # Errors
/// The port can't be bound: taken, or not allowed.
pub async fn open(service: Service, address: SocketAddr, shared: Arc<Shared>) -> io::Result<Open> {
    match service {
        Service::Http(service) => http::open(service, address, shared),
        Service::Tcp(service) => to_peers(address, shared, move |visit| tcp::answer(service.clone(), visit)),
        Service::Sql(service) => to_peers(address, shared, move |visit| sql::answer(service.clone(), visit)),
        Service::Smb(service) => to_peers(address, shared, move |visit| smb::answer(service.clone(), visit)),
        Service::SqlBrowser(service) => {
            datagram::open(address, shared, move |letter| sql_browser::answer(service.clone(), letter)).await
        }
        Service::Tftp(service) => {
            datagram::open(address, shared, move |letter| tftp::answer(service.clone(), letter)).await
        }
    }
}

/// A TCP port on which strangers get nothing.
fn to_peers<F, A>(address: SocketAddr, shared: Arc<Shared>, answer: F) -> io::Result<Open>
where
    F: Fn(stream::Visit) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    stream::open(address, Gate::Closed, shared, move |visit| answer(visit).map(|()| None))
}
