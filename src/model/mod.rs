//! The words of the program: plain data with serde, shared by every layer, without any I/O.
//!
//! What a profile asks for is in [`probe`]; what was seen is in [`evidence`]; what it means is in
//! [`code`] and [`finding`]; the saved record of it all is [`run::Run`].

pub mod ask;
pub mod certificate;
pub mod code;
pub mod evidence;
pub mod fact;
pub mod finding;
pub mod flow;
pub mod knock;
pub mod look;
pub mod probe;
pub mod run;
pub mod secret;
pub mod sighting;
pub mod span;
pub mod token;
pub mod way;
