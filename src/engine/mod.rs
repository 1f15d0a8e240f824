//! A plan to outcomes: all checks at once, under one deadline, each with its retries.

mod attempt;
mod combine;
mod look;
pub mod observer;
mod opened;
pub mod record;
pub mod retry;
pub mod runner;
mod segments;
