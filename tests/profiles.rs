//! Profiles and checks: everything built in is right, every mistake is told in plain words, and no file breaks the reader.

mod built_in;
mod hostile;
mod layers;
mod mistakes;
mod set;
