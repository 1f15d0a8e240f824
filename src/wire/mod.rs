//! Bytes to structs and back, for the binary protocols: no I/O, no async, fuzzed.

pub mod packet;
pub mod smb;
pub mod sql_browser;
pub mod tds;
pub mod tftp;
