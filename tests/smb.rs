//! Tests of `smb`.
