//! Both sides' evidence together: which half was lost, who answered instead, what was changed, and runs merged afterwards.

mod changed;
mod merge;
mod reached;
pub mod scene;
mod sturdy;
mod talked;
mod union;
