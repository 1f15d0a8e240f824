//! Which receipts belong to which outcome.

use std::net::SocketAddr;

use crate::model::fact::Fact;
use crate::model::run::{Outcome, Receipt};

/// How a receipt is known to be of an outcome's probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tie {
    /// It came from the address and port that the probe spoke from.
    Source,
    /// It shows the probe's token.
    Token,
}

/// Gives an outcome those of the receipts that belong to it and that it does not have yet.
pub fn attach(outcome: &mut Outcome, receipts: &[Receipt]) {
    for receipt in receipts {
        if tie(receipt, outcome).is_some() && !outcome.receipts.contains(receipt) {
            outcome.receipts.push(receipt.clone());
        }
    }
}

/// A receipt belongs to the outcome whose token it shows, else to the one that spoke from its source address.
pub(super) fn tie(receipt: &Receipt, outcome: &Outcome) -> Option<Tie> {
    match (&receipt.token, outcome.text(Fact::Token)) {
        (Some(token), Some(own)) => (token == own).then_some(Tie::Token),
        _ => outcome
            .text(Fact::LocalAddress)
            .is_some_and(|local| same_port(local, &receipt.source))
            .then_some(Tie::Source),
    }
}

/// A UDP socket that is bound to every address shows only its port.
fn same_port(local: &str, source: &str) -> bool {
    let (Some(local), Some(source)) = (address(local), address(source)) else { return false };
    local.port() == source.port() && (local.ip().is_unspecified() || local.ip() == source.ip())
}

/// `ip:port`, with an IPv4 address that is written as IPv6 as what it is.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}
