//! What the two sides say on the control channel: JSON texts in a WebSocket over pinned TLS.
//!
//! The joining side speaks first and proves itself with the token of the join code; before that it is told nothing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::flow::{Role, Transport};
use crate::model::knock::{Knock, Knocked};
use crate::model::run::Outcome;
use crate::model::sighting::{Answering, Sightings};

/// Who listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Welcome {
    pub version: u32,
    pub sides: Vec<Role>,
    /// How many have joined, this one among them.
    pub crowd: usize,
    /// The joining side's address as it is seen here.
    pub your_address: IpAddr,
    pub answers: Vec<Answering>,
    /// SHA-256 of the certificate that the responders present.
    pub certificate: String,
}

/// The path of the control channel on the listener's port.
pub const PATH: &str = "/bothways/control";
/// The version of these messages; sides of different versions refuse each other in words.
pub const VERSION: u32 = 1;
/// The largest message that is read, in bytes.
pub const MOST_BYTES: usize = 16 << 20;

/// What the joining side says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromJoiner {
    /// First of all.
    Hello(Hello),
    /// My responders are open: run your own flows, those towards me and those towards others.
    Test {
        answers: Vec<Answering>,
        certificate: String,
        /// Of those that the greeting named, these only; all where empty.
        checks: Vec<String>,
    },
    /// My probes may reach you from addresses that you do not know as mine: open the door for the word that you tell me.
    Introduce,
    /// I have said the word on your ports, and knocked there: from which addresses that were new to you did it come?
    Introduced {
        #[serde(default)]
        knocks: Vec<Knock>,
    },
    /// Say this word on these ports of mine, and knock on those: I want to know from which addresses your probes come.
    IntroduceYourself {
        word: String,
        ports: Vec<(Transport, u16)>,
        #[serde(default)]
        knock: Vec<(Transport, u16)>,
    },
    /// My probes have ended: what did you see of me?
    WhatDidYouSee,
    Bye,
}

/// Who joins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hello {
    pub version: u32,
    /// The token of the join code, in hexadecimal.
    pub token: String,
    /// The id of the joining side's run.
    pub run: String,
    pub sides: Vec<Role>,
    /// The addresses that its probes may come from, besides the one that the channel comes from.
    pub addresses: Vec<IpAddr>,
    /// Whether the channel goes through a proxy, so that its source address is not the joining side's.
    pub through_proxy: bool,
    /// The checks to run; all where empty.
    pub checks: Vec<String>,
    /// The time that one check may take, in milliseconds; the listening side's own where absent.
    pub timeout_ms: Option<u64>,
    /// The time that the whole run may take, in milliseconds, likewise.
    pub deadline_ms: Option<u64>,
}

/// What the listening side says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromListener {
    /// The token was right, and so many are tested before you: wait for your turn.
    Wait { before: usize },
    /// The token was right, and it is your turn.
    Welcome(Welcome),
    /// The answer to `introduce`.
    Door { word: String },
    /// The answer to `introduced`.
    Met {
        addresses: Vec<IpAddr>,
        #[serde(default)]
        knocked: Vec<Knocked>,
    },
    /// The answer to `introduce-yourself`: the word was said, wherever it may have come, and these are the knocks.
    Said {
        #[serde(default)]
        knocks: Vec<Knock>,
    },
    /// The answer to `test`.
    Tested { outcomes: Vec<Outcome> },
    /// The answer to `what-did-you-see`.
    Saw(Sightings),
    /// What was asked can't be done; the channel closes.
    Refused { why: String },
}
