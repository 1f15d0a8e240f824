//! TCP responders: binding, the accept loop, who may come in, and the limits that hold for all of them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::metered::Metered;
use super::places::{Room, Seat, neighbourhood};
use super::{Open, Shared};

/// What a stranger may do on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing: it is closed without a byte.
    Closed,
    /// Ask for the control channel, in places that are no peer's.
    Control,
}

/// How a visitor came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Peer,
    /// Let in by [`Gate::Control`].
    Stranger,
}

/// One visitor's connection. Its handler should keep a receipt of a peer, and none of a stranger.
pub(super) struct Visit {
    pub stream: Metered,
    pub from: SocketAddr,
    pub at: SocketAddr,
    pub shared: Arc<Shared>,
    pub standing: Standing,
}

/// What goes on with a connection once its handler is done. It bounds its own time, and ends with the responder.
pub(super) type Onward = Option<BoxFuture<'static, ()>>;

/// Binds `address` and hands every visitor that `gate` lets in to `answer`, within the limits.
pub(super) fn open<F, A>(address: SocketAddr, gate: Gate, shared: Arc<Shared>, answer: F) -> io::Result<Open>
where
    F: Fn(Visit) -> A + Send + 'static,
    A: Future<Output = Onward> + Send + 'static,
{
    let listener = bind(address)?;
    let address = listener.local_addr()?;
    let places = Room::new(shared.limits.connections, usize::MAX);
    let port = Port { at: address, gate, places, shared };
    let task = tokio::spawn(port.accept(listener, answer));
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

/// One listening port.
struct Port {
    at: SocketAddr,
    gate: Gate,
    /// For peers.
    places: Arc<Room>,
    shared: Arc<Shared>,
}

/// Who is not closed at once.
enum Entry {
    Inside(Box<Visit>, Seats),
    /// A stranger, while a peer is showing itself ([`super::Door`]).
    Doorstep(TcpStream, Seat),
}

/// The places that a visitor takes, for as long as it is there.
struct Seats {
    seats: Vec<Seat>,
}

impl Port {
    async fn accept<F, A>(self, listener: TcpListener, answer: F)
    where
        F: Fn(Visit) -> A,
        A: Future<Output = Onward> + Send + 'static,
    {
        let port = Arc::new(self);
        let mut conversations = JoinSet::new();
        loop {
            while conversations.try_join_next().is_some() {}
            match listener.accept().await {
                // Whoever may not come in is closed here, at the price of the accept.
                Ok((stream, from)) => {
                    let place = Arc::clone(&port);
                    match port.let_in(stream, from) {
                        Some(Entry::Inside(visit, seats)) => {
                            let standing = visit.standing;
                            let conversation = answer(*visit);
                            conversations.spawn(place.hold(from, standing, seats, conversation));
                        }
                        Some(Entry::Doorstep(stream, seat)) => {
                            conversations.spawn(place.meet(stream, from, seat));
                        }
                        None => {}
                    }
                }
                Err(error) => rest_after(&error).await,
            }
        }
    }

    fn let_in(&self, stream: TcpStream, from: SocketAddr) -> Option<Entry> {
        let account = self.shared.peers.account(from.ip());
        let (standing, seats) = if let Some(account) = &account {
            account.prove();
            let seats = self.seats(from).filter(|_| !account.used_up(&self.shared.limits))?;
            (Standing::Peer, seats)
        } else if self.gate == Gate::Control {
            let seat = self.shared.strangers.seat_for_a_while(neighbourhood(from.ip()))?;
            (Standing::Stranger, Seats { seats: vec![seat] })
        } else if self.shared.door.is_open() {
            let seat = self.shared.doorstep.seat(neighbourhood(from.ip()))?;
            return Some(Entry::Doorstep(stream, seat));
        } else {
            return None;
        };
        let stream = Metered::new(stream, account, self.shared.limits);
        let visit = Visit { stream, from, at: self.at, shared: Arc::clone(&self.shared), standing };
        Some(Entry::Inside(Box::new(visit), seats))
    }

    /// Hears out whoever may be a peer from an address that is not known as its own.
    async fn meet(self: Arc<Self>, stream: TcpStream, from: SocketAddr, _seat: Seat) {
        self.shared.door.listen(stream, from, &self.shared.peers, &self.shared.limits).await;
    }

    /// A peer's places.
    fn seats(&self, from: SocketAddr) -> Option<Seats> {
        let address = from.ip().to_canonical();
        Some(Seats { seats: vec![self.places.seat(address)?, self.shared.places.seat(address)?] })
    }

    /// Holds one conversation, within its time and in its places.
    async fn hold<A>(self: Arc<Self>, from: SocketAddr, standing: Standing, seats: Seats, conversation: A)
    where
        A: Future<Output = Onward>,
    {
        let limits = self.shared.limits;
        if standing == Standing::Peer {
            if let Ok(Some(onward)) = timeout(limits.conversation, conversation).await {
                onward.await;
            }
            return;
        }
        // A stranger that has not become a peer by then is closed; one that has takes a peer's place.
        let becoming = async {
            let mut onward = timeout(limits.stranger_time, conversation).await.ok()??;
            let undone = timeout(limits.stranger_time, &mut onward).await.is_err();
            (undone && self.shared.peers.include(from.ip())).then_some(onward)
        };
        let become_peer = tokio::select! {
            onward = becoming => onward,
            () = seats.must_leave() => None,
        };
        if let Some(onward) = become_peer
            && let Some(_seats) = self.seats(from)
        {
            drop(seats);
            onward.await;
        }
    }
}

impl Seats {
    async fn must_leave(&self) {
        match self.seats.first() {
            Some(seat) => seat.must_leave().await,
            None => std::future::pending().await,
        }
    }
}

/// Waits where trying again at once would only spin: out of descriptors or memory, until conversations end. The queue of
/// the system holds those who come meanwhile. Errors of the one connection that was next need no wait.
pub(super) async fn rest_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        sleep(Duration::from_millis(50)).await;
    }
}
