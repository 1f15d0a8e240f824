//! TFTP packets (RFC 1350, 2347-2349, 7440).
