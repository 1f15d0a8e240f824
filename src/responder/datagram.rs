//! UDP responders: binding, the receive loop, and the limits that hold for all of them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Open, Shared};

/// One peer's datagram. Its handler should keep a receipt.
pub(super) struct Letter {
    pub bytes: Vec<u8>,
    pub from: SocketAddr,
    pub at: SocketAddr,
    /// The socket that it arrived on, for answers from the same port.
    pub socket: Arc<UdpSocket>,
    pub shared: Arc<Shared>,
}

/// Binds `address` and hands every peer's datagram to `answer`, within the limits.
pub(super) async fn open<F, A>(address: SocketAddr, shared: Arc<Shared>, answer: F) -> io::Result<Open>
where
    F: Fn(Letter) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let socket = UdpSocket::bind(address).await?;
    let address = socket.local_addr()?;
    let task = tokio::spawn(receive(Arc::new(socket), address, shared, answer));
    Ok(Open { address, task })
}

async fn receive<F, A>(socket: Arc<UdpSocket>, at: SocketAddr, shared: Arc<Shared>, answer: F)
where
    F: Fn(Letter) -> A,
    A: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(shared.limits.connections));
    let mut conversations = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        while conversations.try_join_next().is_some() {}
        // An error here is an ICMP message about an earlier answer: nothing to do about it.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if !shared.peers.include(from.ip()) {
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let limit = shared.limits.conversation;
        let conversation = answer(Letter {
            bytes: buffer[..length].to_vec(),
            from,
            at,
            socket: Arc::clone(&socket),
            shared: Arc::clone(&shared),
        });
        conversations.spawn(async move {
            let _held = place;
            let _ = tokio::time::timeout(limit, conversation).await;
        });
    }
}
