//! TCP responders: binding, the accept loop, and the limits that hold for all of them.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Open, Shared};

/// One peer's connection. Its handler should keep a receipt.
pub(super) struct Visit {
    pub stream: TcpStream,
    pub from: SocketAddr,
    pub at: SocketAddr,
    pub shared: Arc<Shared>,
}

/// Binds `address` and hands every peer's connection to `answer`, within the limits.
pub(super) async fn open<F, A>(address: SocketAddr, shared: Arc<Shared>, answer: F) -> io::Result<Open>
where
    F: Fn(Visit) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = bind(address)?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(accept(listener, address, shared, answer));
    Ok(Open { address, task })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // On Windows the option would let two programs share a port; elsewhere it only skips the wait after a restart.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

async fn accept<F, A>(listener: TcpListener, at: SocketAddr, shared: Arc<Shared>, answer: F)
where
    F: Fn(Visit) -> A,
    A: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(shared.limits.connections));
    let guests = Arc::new(Guests::default());
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        let Ok((stream, from)) = listener.accept().await else {
            // Out of descriptors or the like: let conversations end before trying again.
            tokio::task::yield_now().await;
            conversations.join_next().await;
            continue;
        };
        if !shared.peers.include(from.ip()) {
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let Some(seat) = guests.seat(from.ip(), shared.limits.connections_per_address) else { continue };
        let limit = shared.limits.conversation;
        let conversation = answer(Visit { stream, from, at, shared: Arc::clone(&shared) });
        conversations.spawn(async move {
            let _held = (place, seat);
            let _ = tokio::time::timeout(limit, conversation).await;
        });
    }
}

/// How many connections each address has open.
#[derive(Debug, Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

struct Seat {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    fn seat(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { guests: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}
