//! Questions that fill packets: what is asked where a small exchange has worked, to see whether full packets pass as well.

use std::net::SocketAddr;

use crate::diagnose::looks::headers;
use crate::model::ask::Ask;
use crate::model::evidence::Evidence;
use crate::model::fact::Fact;
use crate::model::probe::{Http, Probe, Smb, Tftp};
use crate::model::token::Token;
use crate::net::udp;

/// The TCP segment that Ethernet carries, in bytes: assumed where the system does not tell.
pub(super) const ETHERNET: u64 = 1460;

/// Bytes that fill a packet of Ethernet, and somewhat more.
pub(super) const PADDING: u64 = ETHERNET + 200;

/// A question that fills packets. A responder takes and gives as much as is asked; any other server is sent something long
/// that it passes over, as it is sent long cookies and tickets, or is asked for large blocks of a file that it has.
pub(super) fn filled(ask: &Ask, address: SocketAddr, seen: &Evidence) -> Option<Ask> {
    let mut ask = Ask { token: Token::random(), ..ask.clone() };
    let block = boot_block(&ask, address);
    let echoed = seen.holds(Fact::Echoed);
    let padding = usize::try_from(PADDING).ok();
    match &mut ask.probe {
        Probe::Http(http) if echoed => {
            let bytes = ETHERNET * 2;
            *http = Http {
                https: http.https,
                path: Some(format!("/?bytes={bytes}")),
                send_bytes: Some(bytes),
                ..Http::default()
            };
        }
        Probe::Http(http) => http.padding = padding,
        Probe::Smb(smb) => *smb = Smb { padding, ..Smb::default() },
        Probe::Sql(sql) => (sql.padding, sql.account) = (padding, None),
        Probe::Tftp(tftp) => {
            let has_file = seen.number(Fact::FileBytes).is_some_and(|bytes| bytes > u64::from(block));
            if !has_file && !echoed {
                return None;
            }
            // A responder that was told of no file has every one.
            tftp.file.get_or_insert_with(|| "full-packets".to_owned());
            (tftp.blksize, tftp.windowsize) = (Some(block), None);
        }
        Probe::Websocket(_) | Probe::Tcp(_) | Probe::SqlBrowser(_) => return None,
    }
    Some(ask)
}

/// The largest block that network boots ask for, or what this machine's own interface takes in one packet.
fn boot_block(ask: &Ask, address: SocketAddr) -> u16 {
    let headers = u16::try_from(headers(ask, address)).unwrap_or_default();
    let own = udp::largest_packet(address).map(|bytes| bytes.saturating_sub(headers));
    own.map_or(Tftp::BOOT_BLOCK, |own| own.clamp(Tftp::BLOCK, Tftp::BOOT_BLOCK))
}
