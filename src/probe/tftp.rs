//! The asking half of TFTP reads (RFC 1350).

use std::net::SocketAddr;

use crate::model::ask::Ask;
use crate::model::probe::Tftp;
use crate::net::trace::Trace;
use crate::net::{Net, Stopped, tcp};

pub(super) async fn run(
    settings: &Tftp,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    let _ = (settings, net);
    tcp::connect(address, ask.source, trace).await?;
    Ok(())
}
