//! TFTP: the probe against tftpd-hpa, dnsmasq and misbehaving servers; the responder against the probe, `tftp` and curl.

#[path = "tftp/against_hostile_servers.rs"]
mod against_hostile_servers;
#[path = "tftp/against_real_servers.rs"]
mod against_real_servers;
#[path = "tftp/responder.rs"]
mod responder;

use bothways::model::ask::Ask;
use bothways::model::probe::{Probe, Tftp, TftpRead};

use crate::support;

/// A question about a file, or about none in particular.
fn asking(file: Option<&str>, port: u16) -> Ask {
    support::ask(Probe::Tftp(Tftp { file: file.map(str::to_owned), ..Tftp::default() }), port)
}

/// A question for the whole of a file.
fn reading(file: &str, blksize: Option<u16>, windowsize: Option<u16>, port: u16) -> Ask {
    let settings =
        Tftp { file: Some(file.to_owned()), read: Some(TftpRead::Whole), blksize, windowsize, full_packets: None };
    support::ask(Probe::Tftp(settings), port)
}
