//! The other side: join codes, the control channel, and what each side saw of the other.
//!
//! [`join`] is the line that invites; [`message`] is what is said; [`search`] finds the listener; [`listener`] and [`joiner`] are the two ends of the
//! channel, [`turns`] who is tested when many have joined; `witness` watches what arrives before any program does. What it all means is judged in `diagnose::both`.

pub mod join;
pub mod joiner;
pub mod limits;
pub mod listener;
pub mod message;
pub mod search;
pub mod speech;
pub mod turns;
pub mod witness;
