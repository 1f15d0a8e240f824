//! `bothways merge`: runs of two sides taken apart, joined afterwards.
