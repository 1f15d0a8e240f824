//! `bothways` checks every documented network flow of a product and says which are blocked, where, why, and the rule to ask for.
//!
//! # Layout
//! Arrows point one way; `tests/house_rules.rs` holds them.
//! - [`cli`] one file per subcommand, progress, exit codes
//! - [`engine`] plan to outcomes: concurrency, deadlines, retries
//! - [`report`] a run to bytes
//! - [`explain`] a page for every finding code
//! - [`diagnose`] evidence to findings; pure
//! - [`plan`] a profile seen from one side; pure
//! - [`profile`] YAML to a profile, with every problem at once
//! - [`probe`] the asking half of each protocol, [`responder`] the answering half: never each other
//! - [`net`] the only code that dials out; [`wire`] bytes to structs and back, no I/O
//! - [`sys`] the same few functions per platform, the only unsafe code
//! - [`model`] the words: plain data

pub mod cli;
pub mod diagnose;
pub mod engine;
pub mod explain;
pub mod model;
pub mod net;
pub mod plan;
pub mod probe;
pub mod profile;
pub mod report;
pub mod responder;
pub mod sys;
pub mod wire;
