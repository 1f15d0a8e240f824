//! I/O errors to the closed list of failures: by typed TLS error, OS code and `ErrorKind`, never by message text.

use std::io::{self, ErrorKind};

use super::tls;
use crate::model::evidence::Failure;
use crate::sys;

/// The failure that an I/O error stands for, and the operating system's number where it has one.
#[must_use]
pub fn of_io(error: &io::Error) -> (Failure, Option<i32>) {
    if let Some(error) = tls::inside(error) {
        return (tls::of_tls(error, true, false), None);
    }
    let os_code = error.raw_os_error();
    let failure = os_code.and_then(sys::failure_of_os_code).unwrap_or_else(|| of_kind(error.kind()));
    (failure, os_code)
}

fn of_kind(kind: ErrorKind) -> Failure {
    match kind {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Failure::Reset,
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::NotConnected | ErrorKind::WriteZero => {
            Failure::Closed
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::TimedOut,
        ErrorKind::HostUnreachable => Failure::HostUnreachable,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Failure::NetworkUnreachable,
        ErrorKind::PermissionDenied => Failure::Denied,
        ErrorKind::AddrInUse => Failure::AddressInUse,
        ErrorKind::AddrNotAvailable => Failure::AddressUnavailable,
        ErrorKind::InvalidData => Failure::Malformed,
        _ => Failure::Internal,
    }
}
