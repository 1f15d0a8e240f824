//! Takes further looks at a conversation that fails, beside it while it hangs or after it, within the check's own time.

use std::net::SocketAddr;

use futures_util::future::{BoxFuture, join_all};

use crate::model::look::Look;
use crate::net::trace::Trace;
use crate::net::{Net, channel, path};
use crate::plan::PlannedProbe;
use crate::probe::websocket;

/// Takes all of these looks at once; what they find is in the trace as soon as it is known.
pub(super) async fn take(looks: Vec<Look>, planned: &PlannedProbe, address: SocketAddr, net: &Net, trace: &Trace) {
    let all = looks.into_iter().map(|look| -> BoxFuture<'_, ()> {
        match look {
            Look::Path => {
                Box::pin(path::sweep(planned.ask.probe.protocol().transport(), address, planned.ask.source, trace))
            }
            Look::Hello => Box::pin(channel::hello::again(&planned.ask, address, net, trace)),
            Look::OtherScheme => Box::pin(websocket::looks::other_scheme(&planned.ask, address, net, trace)),
            Look::IdleTimes => Box::pin(websocket::looks::idle_times(&planned.ask, address, net, trace)),
            Look::Clock => Box::pin(channel::clock::compare(&planned.ask, address, net, trace)),
        }
    });
    join_all(all).await;
}
