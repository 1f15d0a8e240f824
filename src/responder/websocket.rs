//! The answering half of WebSocket upgrades (RFC 6455), on connections that the HTTP responder hands over.
