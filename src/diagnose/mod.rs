//! Evidence to findings; pure.

pub mod fold;
pub mod judge;
pub mod tasks;
