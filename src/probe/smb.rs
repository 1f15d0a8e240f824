//! The asking half of SMB file shares (MS-SMB2).

use std::net::SocketAddr;

use crate::model::ask::Ask;
use crate::model::probe::Smb;
use crate::net::trace::Trace;
use crate::net::{Net, Stopped, tcp};

pub(super) async fn run(
    settings: &Smb,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    let _ = (settings, net);
    tcp::connect(address, ask.source, trace).await?;
    Ok(())
}
