//! A plan to outcomes: all checks at once, under one deadline, each with its retries.

pub mod observer;
