//! The answering half of every protocol: just enough of the real one to prove the path when the service is not there yet.
//!
//! # Safety (what strangers get)
//! Only [`Peers`] are answered; a stranger's connection is closed without a byte, a stranger's datagram is ignored.
//! Connections are bounded in number, per address and in time ([`Limits`]); nothing is read from or written to disk.

mod certificate;
mod datagram;
pub mod http;
pub mod smb;
pub mod sql;
pub mod sql_browser;
mod stream;
pub mod tcp;
pub mod tftp;
pub mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::model::probe::Protocol;
use crate::model::run::Receipt;

pub use certificate::Certificate;

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
    pub receipts: Receipts,
    /// Presented wherever TLS is spoken.
    pub certificate: Certificate,
}

/// Who is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers(Vec<IpAddr>);

impl Peers {
    #[must_use]
    pub fn only(addresses: Vec<IpAddr>) -> Self {
        Self(addresses)
    }

    /// This machine itself, by its loopback addresses.
    #[must_use]
    pub fn loopback() -> Self {
        Self(vec![std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()])
    }

    #[must_use]
    pub fn include(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Bounds on what peers may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of all peers at once, on one port.
    pub connections: usize,
    /// Connections of one address at once, on one port.
    pub connections_per_address: usize,
    /// A connection on which nothing moves for this long is closed.
    pub idle: Duration,
    /// A connection is closed after this long, whatever it does.
    pub conversation: Duration,
    /// Bytes of one request that are read before the connection is closed.
    pub request_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_per_address: 64,
            idle: Duration::from_secs(10),
            conversation: Duration::from_secs(3600),
            request_bytes: 64 << 20,
        }
    }
}

/// What arrived, in order, bounded in number.
#[derive(Debug)]
pub struct Receipts {
    list: Mutex<Vec<Receipt>>,
    started: Instant,
}

impl Receipts {
    const MOST: usize = 10_000;

    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self { list: Mutex::default(), started }
    }

    /// A receipt to fill in, with the time of now.
    #[must_use]
    pub fn draft(&self, protocol: Protocol, source: SocketAddr, arrived_at: SocketAddr) -> Receipt {
        Receipt {
            protocol: protocol.word().to_owned(),
            token: None,
            source: source.to_string(),
            arrived_at: arrived_at.to_string(),
            received_bytes: 0,
            sent_bytes: 0,
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            asked: None,
            presented: None,
            headers: Vec::new(),
        }
    }

    /// Keeps a receipt, unless there are too many already.
    pub fn keep(&self, receipt: Receipt) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() < Self::MOST {
            list.push(receipt);
        }
    }

    #[must_use]
    pub fn all(&self) -> Vec<Receipt> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A responder that is answering. Dropping it stops it.
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
        Service::Http(service) => {
            stream::open(address, shared, move |visit| http::answer(service.clone(), visit)).await
        }
        Service::Tcp(service) => stream::open(address, shared, move |visit| tcp::answer(service.clone(), visit)).await,
        Service::Sql(service) => stream::open(address, shared, move |visit| sql::answer(service.clone(), visit)).await,
        Service::Smb(service) => stream::open(address, shared, move |visit| smb::answer(service.clone(), visit)).await,
        Service::SqlBrowser(service) => {
            datagram::open(address, shared, move |letter| sql_browser::answer(service.clone(), letter)).await
        }
        Service::Tftp(service) => {
            datagram::open(address, shared, move |letter| tftp::answer(service.clone(), letter)).await
        }
    }
}
