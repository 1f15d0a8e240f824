//! Tests of `tftp`.
