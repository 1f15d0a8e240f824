//! Looks that ask a variation of the check's own question: by the other way, or to the proxy about its rules.
//!
//! Each has a time of its own, a token of its own (what the far side sees of it is not the check's), and a trace of its own.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;

use super::stand_in;
use crate::diagnose::judge::{self, Case};
use crate::model::ask::{Ask, Proxy, Route, host_port};
use crate::model::code::{Code, Group};
use crate::model::evidence::{Evidence, Failure};
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Status};
use crate::model::probe::{Http, Method, Probe};
use crate::model::token::Token;
use crate::net::trace::Trace;
use crate::net::{Net, proxy, tcp};
use crate::plan::PlannedProbe;

/// The time that one variation may take: enough for two lost packets, and for a proxy that connects.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Bytes of a body that fits into one packet.
const SMALL_BODY: u64 = 512;
/// The port to which proxies allow tunnels, if to any.
const HTTPS: u16 = 443;

/// Asks the same by the way that was not chosen, where a setting knows one.
pub(super) async fn other_way(planned: &PlannedProbe, net: &Net, trace: &Trace) {
    let Some(route) = &planned.choice.other else { return };
    let ask = Ask { route: route.clone(), probe: unheld(&planned.ask.probe), ..varied(&planned.ask) };
    let (judgement, evidence) = answer(planned, &ask, net, trace).await;
    let way = match route {
        Route::Direct => "direct".to_owned(),
        Route::Proxy(proxy) => host_port(&proxy.host, proxy.port),
    };
    trace.fact(Fact::OtherWay, way);
    trace.fact(Fact::OtherWayCode, judgement.code.word());
    trace.fact(Fact::OtherWayWorks, reaches(&judgement, &evidence));
    if let Some(status) = evidence.number(Fact::Status) {
        trace.fact(Fact::OtherWayStatus, status);
    }
}

/// Whether the target itself answered, even where that alone does not make the check pass.
fn reaches(judgement: &Judgement, evidence: &Evidence) -> bool {
    match judgement.status {
        Status::Pass => true,
        Status::Warn | Status::Unknown => {
            judgement.code.group() != Group::Proxy && evidence.number(Fact::Status).is_some()
        }
        _ => false,
    }
}

/// Asks the proxy for a plain page of the target, and for a tunnel to its usual port: what its rules let pass.
pub(super) async fn proxy_rules(planned: &PlannedProbe, address: SocketAddr, net: &Net, trace: &Trace) {
    let Some(proxy) = planned.ask.proxy() else { return };
    let port = if planned.ask.port == HTTPS { 80 } else { planned.ask.port };
    let page = Http { https: Some(false), method: Some(Method::Get), ..Http::default() };
    let plain = Ask { probe: Probe::Http(page), port, ..varied(&planned.ask) };
    let nobody = stand_in::nowhere(varied(&plain));
    let page = async {
        let ((judgement, here), (_, there)) =
            tokio::join!(answer(planned, &plain, net, trace), answer(planned, &nobody, net, trace));
        if here.number(Fact::Status).is_none() {
            return;
        }
        // One page for whatever host is asked for is its own: it forwards nothing.
        if there.number(Fact::Status).is_some() && stand_in::same(&here, &plain, &there, &nobody) {
            trace.fact(Fact::NowhereAnswer, "same");
            trace.fact(Fact::ProxyPlain, Code::ProxyDenied.word());
        } else {
            trace.fact(Fact::ProxyPlain, judgement.code.word());
        }
    };
    let tunnel = async {
        if planned.ask.port != HTTPS {
            usual_tunnel(planned, proxy, address, net, trace).await;
        }
    };
    tokio::join!(page, tunnel);
}

async fn usual_tunnel(planned: &PlannedProbe, proxy: &Proxy, address: SocketAddr, net: &Net, trace: &Trace) {
    let ask = Ask { port: HTTPS, ..varied(&planned.ask) };
    let aside = trace.fork();
    let asked = async {
        let stream = tcp::connect(address, &ask, &aside).await?;
        proxy::tunnel(Box::new(stream), proxy, &ask, address, net, &aside).await.map(|_| ())
    };
    let _ = tokio::time::timeout(PATIENCE, asked).await;
    if let Some(status) = aside.finish(Failure::TimedOut).number(Fact::ProxyStatus) {
        trace.fact(Fact::ProxyUsualTunnel, status);
    }
}

/// Asks the proxy for a page of its own.
pub(super) async fn proxy_itself(planned: &PlannedProbe, address: SocketAddr, trace: &Trace) {
    trace.fact(Fact::ProxyItself, "no answer");
    let _ = tokio::time::timeout(PATIENCE, proxy::itself(&planned.ask, address, trace)).await;
}

/// Asks for the same page with less: with a small body, and with none.
pub(super) async fn lighter(planned: &PlannedProbe, net: &Net, trace: &Trace) {
    let Probe::Http(settings) = &planned.ask.probe else { return };
    let ask = |http: Http| Ask { probe: Probe::Http(http), ..varied(&planned.ask) };
    let bare = Http { receive_bytes: None, contains: None, ..settings.clone() };
    let small = settings.send_bytes.filter(|bytes| *bytes > SMALL_BODY);
    let small = small.map(|_| ask(Http { send_bytes: Some(SMALL_BODY), ..bare.clone() }));
    let get = ask(Http { method: Some(Method::Get), send_bytes: None, ..bare });
    let told = async |ask: &Ask, fact: Fact| {
        let status = answer(planned, ask, net, trace).await.1.number(Fact::Status);
        trace.fact(fact, status.map_or_else(|| "no answer".into(), serde_json::Value::from));
    };
    let with_body = async {
        if let Some(ask) = &small {
            told(ask, Fact::SmallBodyStatus).await;
        }
    };
    tokio::join!(with_body, told(&get, Fact::GetStatus));
}

/// Resolves the host that a redirect points to, to compare it with who was asked.
pub(super) async fn location(planned: &PlannedProbe, address: SocketAddr, seen: &Evidence, net: &Net, trace: &Trace) {
    let Some(place) = seen.text(Fact::Location).and_then(judge::host_of) else { return };
    let aside = trace.fork();
    let addresses = async |host: &str| {
        let resolved = tokio::time::timeout(PATIENCE, net.resolver.resolve(host, &aside)).await;
        resolved.ok().and_then(Result::ok).unwrap_or_default()
    };
    let target = if planned.ask.proxy().is_some() { addresses(&planned.ask.host).await } else { vec![address.ip()] };
    let there = addresses(place).await;
    trace.fact(Fact::LocationIsTarget, there.iter().any(|ip| target.contains(ip)));
}

pub(super) fn varied(ask: &Ask) -> Ask {
    Ask { token: Token::random(), ..ask.clone() }
}

/// The time of idleness is not part of the question whether the way is open.
fn unheld(probe: &Probe) -> Probe {
    let mut probe = probe.clone();
    if let Probe::Websocket(websocket) = &mut probe {
        websocket.hold = None;
    }
    probe
}

/// Asks every address, and gives what the best one answered.
async fn answer(planned: &PlannedProbe, ask: &Ask, net: &Net, trace: &Trace) -> (Judgement, Evidence) {
    let naming = trace.fork();
    let (host, port) = ask.first_hop();
    let resolved = tokio::time::timeout(PATIENCE, net.resolver.resolve(host, &naming)).await;
    let named = naming.finish(Failure::NameServerSilent);
    let Ok(Ok(addresses)) = resolved else { return (judged(planned, ask, None, &named), named) };
    let asked = addresses.into_iter().map(|ip| one(planned, ask, SocketAddr::new(ip, port), net, trace));
    let best = join_all(asked).await.into_iter().min_by_key(|(judgement, _)| judgement.status.weight());
    best.unwrap_or_else(|| (judged(planned, ask, None, &named), named))
}

pub(super) async fn one(
    planned: &PlannedProbe,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> (Judgement, Evidence) {
    let aside = trace.fork();
    let asked = tokio::time::timeout(PATIENCE, crate::probe::run(ask, address, net, &aside)).await;
    let evidence = aside.finish(if asked.is_ok() { Failure::Internal } else { Failure::TimedOut });
    (judged(planned, ask, Some(address), &evidence), evidence)
}

fn judged(planned: &PlannedProbe, ask: &Ask, address: Option<SocketAddr>, evidence: &Evidence) -> Judgement {
    judge::judge(&Case { flow: &planned.flow, ask, address, evidence })
}
