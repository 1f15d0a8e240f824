//! Evidence to findings; pure.

pub mod both;
pub mod fold;
pub mod judge;
pub mod looks;
pub mod tasks;
