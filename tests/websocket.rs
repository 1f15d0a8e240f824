//! Tests of `websocket`.
