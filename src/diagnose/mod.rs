//! Evidence to findings; pure.

pub mod judge;
