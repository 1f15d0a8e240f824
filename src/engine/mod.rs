//! A plan to outcomes: all checks at once, under one deadline, each with its retries.

mod aside;
mod attempt;
mod combine;
mod filled;
mod held;
mod look;
mod met;
pub mod observer;
mod quiet;
pub mod record;
pub mod retry;
pub mod runner;
mod segments;
mod sizes;
mod stand_in;
