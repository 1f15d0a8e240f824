//! Why an HTTP conversation ended early, from hyper's typed errors and the I/O errors inside them.

use std::error::Error;
use std::io;

use super::super::trace::OpenStep;
use super::super::{Stopped, failure};
use crate::model::evidence::Failure;

/// A conversation that ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    pub failure: Failure,
    os_code: Option<i32>,
}

impl Broken {
    /// `write_error` is what writing met, which hyper was not told.
    pub(super) fn of(error: &hyper::Error, write_error: Option<Broken>) -> Self {
        if error.is_parse() {
            return Self { failure: Failure::Malformed, os_code: None };
        }
        if let Some(inner) = source::<io::Error>(error) {
            return Self::of_read(inner);
        }
        if let Some(earlier) = write_error {
            return earlier;
        }
        let ended = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        Self { failure: if ended { Failure::Closed } else { Failure::Internal }, os_code: None }
    }

    pub(super) fn of_write(error: &io::Error) -> Self {
        let (failure, os_code) = failure::of_io(error);
        Self { failure, os_code }
    }

    fn of_read(error: &io::Error) -> Self {
        // Broken chunks are I/O errors of these kinds to hyper, with nothing of the operating system or of TLS inside.
        let malformed = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
        let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
        if malformed && !of_tls && error.raw_os_error().is_none() {
            return Self { failure: Failure::Malformed, os_code: None };
        }
        Self::of_write(error)
    }

    /// Ends a step with this failure.
    pub fn end(self, step: OpenStep) -> Stopped {
        match self.os_code {
            Some(code) => step.fail_io(&io::Error::from_raw_os_error(code)),
            None => step.fail(self.failure),
        }
    }
}

fn source<E: Error + 'static>(error: &dyn Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        cause = current.source();
    }
    None
}
