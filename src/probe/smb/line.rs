//! The connection that the `smb` crate talks over: ours, so that the source address, the byte counts and undelayed sending
//! hold, and so that a broken connection is known by its own error.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use smb::transport::error::Result;
use smb::transport::{IoVec, SmbTransport, SmbTransportRead, SmbTransportWrite, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;

use crate::net::tcp::Connection;
use crate::wire::smb::frame::{self, Head, Kind};
use crate::wire::smb::header::{Header, command};
use crate::wire::smb::session::SetupResponse;
use crate::wire::smb::status;

/// Longer messages are never asked for here; a far side that announces them is cut off.
const LONGEST: usize = 1 << 20;

/// What is seen on the line, beside what the crate tells.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: Mutex<Seen>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    error: Option<io::Error>,
    guest: bool,
}

impl Watch {
    /// Waits until the line breaks; the reason.
    pub(super) async fn ended(&self) -> io::Error {
        self.ended.notified().await;
        self.error().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Why the line broke, where it did; told once.
    pub(super) fn error(&self) -> Option<io::Error> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).error.take()
    }

    /// Whether the server took the login for a guest's.
    pub(super) fn guest(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).guest
    }

    /// Keeps the reason of a break. The crate must hear `NotConnected`: it tries again for ever after anything else.
    fn end(&self, error: io::Error) -> TransportError {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).error.get_or_insert(error);
        self.ended.notify_one();
        TransportError::NotConnected
    }

    fn look_at(&self, message: &[u8]) {
        let Ok(head) = Header::decode(message) else { return };
        if (head.command, head.status) == (command::SESSION_SETUP, status::SUCCESS)
            && let Ok(setup) = SetupResponse::decode(message)
        {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).guest = setup.is_guest_or_nobody();
        }
    }
}

/// An open connection as the crate wants it.
pub(super) struct Line {
    read: Option<ReadHalf<Connection>>,
    write: Option<WriteHalf<Connection>>,
    far: SocketAddr,
    watch: Arc<Watch>,
}

impl Line {
    pub(super) fn new(stream: Connection, far: SocketAddr) -> (Self, Arc<Watch>) {
        let (read, write) = tokio::io::split(stream);
        let watch = Arc::<Watch>::default();
        (Self { read: Some(read), write: Some(write), far, watch: Arc::clone(&watch) }, watch)
    }
}

impl SmbTransport for Line {
    fn connect<'a>(&'a mut self, _name: &'a str, _address: SocketAddr) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(TransportError::AlreadyConnected) })
    }

    fn default_port(&self) -> u16 {
        crate::wire::smb::PORT
    }

    fn split(self: Box<Self>) -> Result<(Box<dyn SmbTransportRead>, Box<dyn SmbTransportWrite>)> {
        let Self { read, write, far, watch } = *self;
        let reading = Self { read, write: None, far, watch: Arc::clone(&watch) };
        Ok((Box::new(reading), Box::new(Self { read: None, write, far, watch })))
    }

    fn remote_address(&self) -> Result<SocketAddr> {
        Ok(self.far)
    }
}

impl SmbTransportWrite for Line {
    fn send_raw<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let write = self.write.as_mut().ok_or(TransportError::NotConnected)?;
            write.write_all(bytes).await.map_err(|error| self.watch.end(error))
        })
    }

    /// One write for each message: sent in pieces, every piece would be a packet of its own.
    fn send<'a>(&'a mut self, message: &'a IoVec) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let body: Vec<u8> = message.iter().flat_map(|part| part.iter().copied()).collect();
            self.send_raw(&frame::message(&body)).await
        })
    }
}

impl SmbTransportRead for Line {
    fn receive_exact<'a>(&'a mut self, out: &'a mut [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let read = self.read.as_mut().ok_or(TransportError::NotConnected)?;
            read.read_exact(out).await.map(|_| ()).map_err(|error| self.watch.end(error))
        })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let read = self.read.as_mut().ok_or(TransportError::NotConnected)?;
            let message = next_message(read).await.map_err(|error| self.watch.end(error))?;
            self.watch.look_at(&message);
            Ok(message)
        })
    }
}

/// Reads one message; memory grows with what arrives, not with what is announced.
async fn next_message(read: &mut ReadHalf<Connection>) -> io::Result<Vec<u8>> {
    loop {
        let mut head = [0; frame::HEAD];
        read.read_exact(&mut head).await?;
        let head = Head::decode(head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if head.length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = Vec::new();
        (&mut *read).take(head.length as u64).read_to_end(&mut body).await?;
        if body.len() < head.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match head.kind {
            // The crate would wait for ever for something else to arrive.
            Kind::Message if !is_smb2(&body) => return Err(io::ErrorKind::InvalidData.into()),
            Kind::Message => return Ok(body),
            _ => {}
        }
    }
}

/// Whether a message is SMB2: plain, encrypted or compressed.
fn is_smb2(message: &[u8]) -> bool {
    matches!(message, [0xFC..=0xFE, b'S', b'M', b'B', ..])
}
