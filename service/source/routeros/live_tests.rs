//! routeros against a peer at the wire.
