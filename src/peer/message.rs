//! What the two sides say on the control channel: JSON texts in a WebSocket over pinned TLS.
//!
//! The joining side speaks first and proves itself with the token of the join code; before that it is told nothing.

use serde::{Deserialize, Serialize};

use crate::model::flow::Role;
use crate::model::run::Outcome;
use crate::model::sighting::{Answering, Sightings};

/// The path of the control channel on the listener's port.
pub const PATH: &str = "/bothways/control";
/// The version of these messages; sides of different versions refuse each other in words.
pub const VERSION: u32 = 1;
/// The largest message that is read, in bytes.
pub const MOST_BYTES: usize = 16 << 20;
/// The largest message that is read before the token was right.
pub const MOST_BYTES_OF_A_STRANGER: usize = 4096;

/// What the joining side says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromJoiner {
    /// First of all.
    Hello {
        version: u32,
        token: String,
        run: String,
        sides: Vec<Role>,
        checks: Vec<String>,
    },
    /// My responders are open: run your own flows, those towards me and those towards others.
    Test {
        answers: Vec<Answering>,
        budget_ms: u64,
    },
    /// My probes have ended: what did you see of me?
    WhatDidYouSee,
    Bye,
}

/// What the listening side says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromListener {
    /// The token was right.
    Welcome {
        version: u32,
        sides: Vec<Role>,
        /// The joining side's address as it is seen here.
        your_address: String,
        answers: Vec<Answering>,
        /// SHA-256 of the certificate that the responders present.
        certificate: String,
    },
    /// The answer to `test`.
    Tested { outcomes: Vec<Outcome> },
    /// The answer to `what-did-you-see`.
    Saw(Sightings),
    /// What was asked can't be done; the channel closes.
    Refused { why: String },
}
