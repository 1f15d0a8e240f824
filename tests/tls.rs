//! Tests of TLS: handshakes with real servers and hostile peers, what their certificates say, and the responder's own.

pub mod authority;
mod certificate;
mod hostile;
mod looks;
mod responder;
pub mod server;
mod store;
mod version;
