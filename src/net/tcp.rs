//! Opening TCP connections, with the ICMP message behind a failure where the system tells.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::Stopped;
use super::count::Counted;
use super::trace::Trace;
use crate::model::ask::Ask;
use crate::model::evidence::StepKind;
use crate::model::fact::Fact;
use crate::sys;

/// A TCP connection whose bytes are counted into the trace.
pub type Connection = Counted<TcpStream>;

/// Connects to one address; one step.
///
/// # Errors
/// [`Stopped`] where the connection can't be opened; the step holds the failure and any ICMP message.
pub async fn connect(address: SocketAddr, ask: &Ask, trace: &Trace) -> Result<Connection, Stopped> {
    let step = trace.begin(StepKind::Connect, Some(address.to_string()));
    let (socket, watch) = match prepare(address, ask) {
        Ok(pair) => pair,
        Err(error) => return Err(step.fail_io(&error)),
    };
    let mut connecting = pin!(socket.connect(address));
    // Asked for the first time, it sends the request: from then on the local port is known, even where no answer comes.
    let at_once = poll_fn(|context| Poll::Ready(connecting.as_mut().poll(context))).await;
    if let Some(local) = watch.local_addr().ok().and_then(|local| local.as_socket()) {
        trace.fact(Fact::LocalAddress, local.to_string());
    }
    let connected = match at_once {
        Poll::Ready(connected) => connected,
        Poll::Pending => connecting.await,
    };
    match connected {
        Ok(stream) => {
            step.pass();
            Ok(opened(stream, watch, trace))
        }
        Err(error) => Err(step.fail_icmp(&error, sys::take_icmp_arrival(&watch))),
    }
}

/// The socket to connect with, and a second handle on it for reading its error queue afterwards.
fn prepare(address: SocketAddr, ask: &Ask) -> io::Result<(TcpSocket, Socket)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(source) = ask.source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    if let Some(bytes) = ask.largest_segment {
        // A system that can't leaves them at their full size.
        let _ = sys::limit_segments(&socket, bytes);
    }
    sys::watch_icmp(&socket);
    sys::watch_arrival(&socket);
    let watch = socket.try_clone()?;
    Ok((TcpSocket::from_std_stream(socket.into()), watch))
}

fn opened(stream: TcpStream, watch: Socket, trace: &Trace) -> Connection {
    // Without it small questions wait for acknowledgements and the timings lie; a socket that can't is still usable.
    let _ = stream.set_nodelay(true);
    if let Some(repeats) = sys::repeated_requests(&stream).filter(|repeats| *repeats > 0) {
        trace.fact(Fact::ConnectRepeats, repeats);
    }
    let counted = Counted::new(stream);
    counted.watch(watch);
    trace.count(counted.counter());
    counted
}
