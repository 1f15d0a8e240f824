//! Evidence to findings; pure.

pub mod both;
pub mod expected;
pub mod flaky;
pub mod fold;
pub mod issuers;
pub mod judge;
pub mod large_packets;
pub mod looks;
pub mod same_host;
pub mod schemes;
pub mod tasks;
pub mod unjoined;
