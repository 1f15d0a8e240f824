//! What tests share: asking one address, real daemons, and hostile peers.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod daemon;
pub mod hostile;
pub mod names;
pub mod namespaces;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bothways::diagnose::judge::{self, Case};
use bothways::model::ask::{Ask, Route, TlsExpectation};
use bothways::model::evidence::{Evidence, Failure};
use bothways::model::finding::Judgement;
use bothways::model::flow::{Flow, Role};
use bothways::model::probe::Probe;
use bothways::model::secret::SecretSource;
use bothways::model::token::Token;
use bothways::net::Net;
use bothways::net::resolve::Resolver;
use bothways::net::trace::Trace;
use secrecy::SecretString;

/// What one conversation gave.
#[derive(Debug)]
pub struct Seen {
    pub evidence: Evidence,
    pub judgement: Judgement,
}

/// A direct question to a port on 127.0.0.1.
pub fn ask(probe: Probe, port: u16) -> Ask {
    Ask {
        probe,
        host: Ipv4Addr::LOCALHOST.to_string(),
        port,
        route: Route::Direct,
        tls: TlsExpectation::default(),
        token: Token::random(),
        source: None,
        largest_segment: None,
    }
}

pub fn flow(ask: &Ask) -> Flow {
    Flow {
        check: "under-test".to_owned(),
        title: "a flow under test".to_owned(),
        task: "test".to_owned(),
        rank: 1,
        from: Role::new("client"),
        to: Role::new("server"),
        endpoint: "server".to_owned(),
        carries: None,
        transport: ask.probe.protocol().transport(),
        expect: bothways::model::flow::Expect::Open,
        remedy: format!("Allow {} {} from client to server.", ask.probe.protocol().transport(), ask.port),
        source: "test".to_owned(),
    }
}

/// Runs one probe for at most `limit` and judges it, as the engine does for one address.
pub async fn run_within(ask: &Ask, secrets: &[(SecretSource, &str)], limit: Duration) -> Seen {
    let secrets: HashMap<_, _> =
        secrets.iter().map(|(source, text)| (source.clone(), SecretString::from(*text))).collect();
    let net = Net::new(Resolver::default(), secrets);
    let trace = Trace::new(Instant::now());
    let (host, port) = ask.first_hop();
    let ip: IpAddr = host.parse().expect("tests name the first hop by address");
    let address = SocketAddr::new(ip, port);
    let ended = tokio::time::timeout(limit, bothways::probe::run(ask, address, &net, &trace)).await;
    let evidence = trace.finish(Failure::TimedOut);
    // What `stopped_at` says of a conversation is what the probe says; a cut may also come where no step is open.
    if let Ok(ended) = ended {
        assert_eq!(evidence.stopped_at().is_some(), ended.is_err(), "{:#?}", evidence.steps);
    }
    let flow = flow(ask);
    let judgement = judge::judge(&Case { flow: &flow, ask, address: Some(address), evidence: &evidence });
    Seen { evidence, judgement }
}

/// [`run_within`] three seconds and without secrets.
pub async fn run(ask: &Ask) -> Seen {
    run_within(ask, &[], Duration::from_secs(3)).await
}
