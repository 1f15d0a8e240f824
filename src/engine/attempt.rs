//! One attempt of one check: the name resolved, then every address asked at once, each judged for itself.

use std::net::SocketAddr;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::watch;
use tokio::time::Instant;

use super::combine::{self, Heard};
use crate::diagnose::judge::{self, Case};
use crate::model::ask::host_port;
use crate::model::evidence::{Evidence, Failure};
use crate::model::fact::Fact;
use crate::model::finding::Judgement;
use crate::model::run::CutShort;
use crate::net::Net;
use crate::net::trace::Trace;
use crate::plan::PlannedProbe;

/// What ends attempts early: `Some` once the run is cut short.
pub(super) type Cut = watch::Receiver<Option<CutShort>>;

/// What one attempt gave.
pub(super) struct Attempt {
    pub judgement: Judgement,
    pub evidence: Evidence,
}

/// Makes one attempt, which ends at `limit` at the latest.
pub(super) async fn make(
    planned: &PlannedProbe,
    net: &Net,
    started: std::time::Instant,
    limit: Instant,
    cut: &Cut,
) -> Attempt {
    let naming = Trace::new(started);
    if let Some(proxy) = planned.ask.proxy() {
        // Whatever becomes of the proxy, its name included: everything behind it has one cause.
        naming.fact(Fact::Proxy, host_port(&proxy.host, proxy.port));
    }
    let (host, port) = planned.ask.first_hop();
    let resolved = within(limit, cut, net.resolver.resolve(host, &naming)).await;
    let addresses = match resolved {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(_)) => return unnamed(planned, naming.finish(Failure::Internal)),
        Err(ended) => return unnamed(planned, naming.finish(ended)),
    };
    let names = naming.finish(Failure::NameServerSilent);
    let mut conversations: Vec<BoxFuture<'_, Heard>> = Vec::with_capacity(addresses.len());
    for ip in addresses {
        let address = SocketAddr::new(ip, port);
        conversations.push(Box::pin(converse(planned, address, net, naming.fork(), limit, cut.clone())));
    }
    let heard = join_all(conversations).await;
    combine::combine(planned, names, heard)
}

/// The name gave no address: that is the whole conversation.
fn unnamed(planned: &PlannedProbe, evidence: Evidence) -> Attempt {
    let case = Case { flow: &planned.flow, ask: &planned.ask, address: None, evidence: &evidence };
    Attempt { judgement: judge::judge(&case), evidence }
}

async fn converse(
    planned: &PlannedProbe,
    address: SocketAddr,
    net: &Net,
    trace: Trace,
    limit: Instant,
    cut: Cut,
) -> Heard {
    if planned.port_found_by.is_some() {
        trace.fact(Fact::InstancePort, planned.ask.port);
    }
    let asked = within(limit, &cut, crate::probe::run(&planned.ask, address, net, &trace)).await;
    let evidence = trace.finish(asked.err().unwrap_or(Failure::Internal));
    let case = Case { flow: &planned.flow, ask: &planned.ask, address: Some(address), evidence: &evidence };
    let judgement = judge::judge(&case);
    Heard { address, judgement, evidence }
}

/// Waits for `work`, but no longer than `limit` and the run last. The error says how it ended.
async fn within<T>(limit: Instant, cut: &Cut, work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut cut = cut.clone();
    tokio::select! {
        // The work first: cut before its first step, it would leave nothing to tell how far it came.
        biased;
        done = work => Ok(done),
        () = tokio::time::sleep_until(limit) => Err(Failure::TimedOut),
        // The sender lives as long as the run: an error can't come, and would end nothing.
        Ok(_) = cut.wait_for(Option::is_some) => Err(Failure::Interrupted),
    }
}
