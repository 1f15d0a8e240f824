//! A handshake that failed before a word of TLS came back, tried again: with the same server name, without one, and with
//! another; and whether the port answers plain HTTP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Security, Tunnel, dial, name};
use crate::model::ask::Ask;
use crate::model::certificate::{Hello, HelloAnswer};
use crate::model::fact::Fact;
use crate::net::trace::Trace;
use crate::net::{Net, proxy, tls};

/// A name that nobody has a reason to filter, and that the target hardly has.
const ANOTHER: &str = "example.com";
/// How long one of them may take.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Bytes of an answer that are read.
const MOST: usize = 512;

/// Says hello three ways, and asks once in plain HTTP, all side by side; the facts tell what came back as soon as it did.
pub async fn again(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) {
    // An address is no server name (RFC 6066 3): there, the first hello had none either.
    let own = Some(name(ask)).filter(|name| name.parse::<IpAddr>().is_err());
    let names = [own, None, Some(ANOTHER)];
    let mut hellos = names.map(|name| Hello { name: name.map(str::to_owned), answer: HelloAnswer::Unheard });
    let mut greetings: FuturesUnordered<_> = names
        .into_iter()
        .enumerate()
        .map(|(place, name)| async move { (place, greet(ask, address, net, trace, name).await) })
        .collect();
    let greetings = async {
        while let Some((place, answer)) = greetings.next().await {
            hellos[place].answer = answer;
            trace.fact(Fact::TlsHellos, serde_json::to_value(&hellos).unwrap_or_default());
        }
    };
    let plain = async {
        if let Some(line) = plain(ask, address, net, trace).await {
            trace.fact(Fact::PlainAnswer, line);
        }
    };
    tokio::join!(greetings, plain);
}

async fn greet(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace, name: Option<&str>) -> HelloAnswer {
    let asking = async {
        match dial(ask, address, Security::Tls, Tunnel::Always, net, &trace.fork()).await {
            Ok(stream) => tls::greet(stream, name).await,
            Err(_) => HelloAnswer::Unheard,
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or(HelloAnswer::Silence)
}

/// The first line that comes back to a request in plain HTTP.
async fn plain(ask: &Ask, address: SocketAddr, net: &Net, trace: &Trace) -> Option<String> {
    let request = format!("HEAD / HTTP/1.0\r\nHost: {}\r\n\r\n", ask.target());
    let asking = async {
        let mut stream = dial(ask, address, Security::Tls, Tunnel::Always, net, &trace.fork()).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        while answer.len() < MOST && !answer.contains(&b'\n') {
            if stream.read_buf(&mut answer).await.ok()? == 0 {
                break;
            }
        }
        let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Some(proxy::readable(line)).filter(|line| !line.is_empty())
    };
    timeout(PATIENCE, asking).await.ok().flatten()
}
