//! Whether a page is the target's at all, or somebody's who gives it to everybody: asked where an answer in plain HTTP, or over
//! TLS that nobody judges, proves nothing by itself; to requests and to upgrades alike.
//!
//! Through a proxy, the same is asked of a host that can't exist. Directly, it is first seen how far the one is that accepts;
//! only where that is nearer than the host, the same is asked at addresses that are nobody's, and of a page that can't exist,
//! and it is seen whether the answer comes from as near.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};
use tokio::time::timeout;

use super::aside::{one, varied};
use crate::diagnose::judge;
use crate::model::ask::{Ask, host_port};
use crate::model::evidence::{Evidence, Failure};
use crate::model::fact::Fact;
use crate::model::probe::{Http, Probe, Websocket};
use crate::net::Net;
use crate::net::path;
use crate::net::trace::Trace;
use crate::plan::PlannedProbe;

/// How long distances may be measured. A check that passes should not wait for devices that don't answer.
const MEASURING: Duration = Duration::from_millis(800);

/// How long they may be where somebody is seen before the host: who that is takes longer.
const NAMING: Duration = Duration::from_millis(1500);

/// Asks, and publishes whether what came is the page that the check was given.
pub(super) async fn look(planned: &PlannedProbe, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let Some(probe) = bare(&planned.ask.probe, path_of(&planned.ask.probe)) else { return };
    let ask = Ask { probe, ..varied(&planned.ask) };
    if planned.ask.proxy().is_none() {
        directly(planned, &ask, address, seen, net, trace).await;
        return;
    }
    let nobody = nowhere(ask);
    let page = Http { https: Some(false), ..Http::default() };
    let plain = Ask { probe: Probe::Http(page), port: 80, ..nobody.clone() };
    let missed = async {
        let (_, there) = one(planned, &plain, address, net, trace).await;
        there.number(Fact::Status).is_some_and(|status| status >= 500)
    };
    let (missed, ()) = tokio::join!(missed, tell(planned, &nobody, address, seen, Fact::NowhereAnswer, net, trace));
    // Who misses the host in plain passes tunnels on to somebody, whoever is asked for.
    if missed && tunnelled(&planned.ask.probe) {
        trace.fact(Fact::NowhereAnswer, "another");
    }
}

/// Whether a proxy is asked for a tunnel, and not for the page.
fn tunnelled(probe: &Probe) -> bool {
    !matches!(probe, Probe::Http(http) if http.https != Some(true))
}

/// The same of a host that can't exist.
pub(super) fn nowhere(ask: Ask) -> Ask {
    Ask { host: format!("{}.invalid", ask.token.as_str()), ..ask }
}

/// The least that asks for a page; nothing where none is asked for.
fn bare(probe: &Probe, path: Option<String>) -> Option<Probe> {
    match probe {
        Probe::Http(http) => Some(Probe::Http(Http { https: Some(http.https == Some(true)), path, ..Http::default() })),
        Probe::Websocket(websocket) => Some(Probe::Websocket(Websocket { path, hold: None, ..websocket.clone() })),
        _ => None,
    }
}

fn path_of(probe: &Probe) -> Option<String> {
    match probe {
        Probe::Http(Http { path, .. }) | Probe::Websocket(Websocket { path, .. }) => path.clone(),
        _ => None,
    }
}

async fn directly(planned: &PlannedProbe, ask: &Ask, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let Some(probe) = bare(&ask.probe, Some(format!("/{}", ask.token.as_str()))) else { return };
    let measured = trace.fork();
    let Some(view) = path::View::new(&planned.ask, address, &net.paths, &measured) else { return };
    let mut measuring = pin!(view.measure());
    let ended = timeout(MEASURING, &mut measuring).await.is_ok();
    if judge::has_stand_in(&measured.so_far(Failure::Interrupted), address.ip()) {
        let elsewhere = Ask { probe, ..varied(ask) };
        let request = plain(&planned.ask);
        tokio::join!(
            at_nobodys(planned, ask, address, seen, net, trace),
            tell(planned, &elsewhere, address, seen, Fact::OtherPageAnswer, net, trace),
            view.look_behind(&request),
            OptionFuture::from((!ended).then(|| timeout(NAMING, measuring))),
        );
    }
    trace.adopt(&measured);
}

/// The shortest request for a page of the host.
fn plain(ask: &Ask) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host_port(&ask.host, ask.port)).into_bytes()
}

/// Asks at addresses that no host has: one that is nobody's anywhere, and one in the host's own network, to which the way is
/// the same.
async fn at_nobodys(planned: &PlannedProbe, ask: &Ask, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let asked = [anywhere(address.ip(), ask), beside(address.ip(), ask)].map(async |ip| {
        let there = trace.fork();
        tell(planned, ask, SocketAddr::new(ip, address.port()), seen, Fact::NowhereAnswer, net, &there).await;
        there.finish(Failure::Interrupted).text(Fact::NowhereAnswer).unwrap_or("none").to_owned()
    });
    trace.fact(Fact::NowhereAnswer, "none");
    let answers = join_all(asked).await;
    let given = |answer: &&str| answers.iter().any(|given| given == answer);
    trace.fact(Fact::NowhereAnswer, ["same", "another"].iter().copied().find(given).unwrap_or("none"));
}

/// An address of no host: of those set aside for examples (RFC 5737), or to be discarded (RFC 6666).
fn anywhere(like: IpAddr, ask: &Ask) -> IpAddr {
    let [last, ..] = ask.token.bytes();
    if like.to_canonical().is_ipv4() {
        Ipv4Addr::new(192, 0, 2, 128 + last / 4).into()
    } else {
        Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0x100 + u16::from(last)).into()
    }
}

/// An address of the host's network that is hardly a host's: the one for broadcasts, which take no connections, and in IPv6 a
/// random one.
fn beside(host: IpAddr, ask: &Ask) -> IpAddr {
    match host.to_canonical() {
        IpAddr::V4(host) => {
            let [a, b, c, last] = host.octets();
            Ipv4Addr::new(a, b, c, if last == 255 { 0 } else { 255 }).into()
        }
        IpAddr::V6(host) => {
            let network = u128::from(host) >> 64 << 64;
            Ipv6Addr::from(network | u128::from(u64::from_be_bytes(ask.token.bytes()))).into()
        }
    }
}

async fn tell(
    planned: &PlannedProbe,
    ask: &Ask,
    address: SocketAddr,
    seen: &Evidence,
    fact: Fact,
    net: &Net,
    trace: &Trace,
) {
    trace.fact(fact, "none");
    let (_, there) = one(planned, ask, address, net, trace).await;
    if there.number(Fact::Status).is_some() {
        trace.fact(fact, if same(seen, &planned.ask, &there, ask) { "same" } else { "another" });
    }
}

/// Whether two answers are the same page, but for what was asked for.
pub(super) fn same(seen: &Evidence, asked: &Ask, there: &Evidence, asked_there: &Ask) -> bool {
    Page::of(seen, asked) == Page::of(there, asked_there)
}

/// What is compared of an answer.
#[derive(PartialEq)]
struct Page {
    status: Option<u64>,
    server: Option<String>,
    /// Its beginning, without what was asked for: many pages repeat that.
    text: Option<String>,
}

impl Page {
    fn of(seen: &Evidence, ask: &Ask) -> Self {
        let path = path_of(&ask.probe).unwrap_or_default();
        let path = path.trim_matches('/');
        if path.is_empty() { Self::with(seen, &[&ask.host]) } else { Self::with(seen, &[&ask.host, path]) }
    }

    fn with(seen: &Evidence, asked: &[&str]) -> Self {
        let text =
            seen.text(Fact::Banner).map(|text| asked.iter().fold(text.to_owned(), |text, word| text.replace(word, "")));
        Self { status: seen.number(Fact::Status), server: seen.text(Fact::Server).map(str::to_owned), text }
    }
}
