//! The bounds of a listener and its connections.

use std::time::Duration;

use super::wire::WireLimits;

/// The bounds that a listener and its connections keep.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections open at once; further clients wait in the listener's backlog until an idle one goes.
    pub max_connections: usize,
    /// Longest request head in bytes, its empty line included.
    pub max_head_bytes: usize,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How long a head may take from its first byte to its last; the first one from the connection's beginning.
    pub head_timeout: Duration,
    /// How long a body may take in all, while the service wants to read it.
    pub body_timeout: Duration,
    /// How long a peer may go without taking any byte of an answer.
    pub write_timeout: Duration,
    /// How long a TLS handshake may take in all.
    pub tls_handshake_timeout: Duration,
    /// How long a stop waits for requests in flight.
    pub drain_timeout: Duration,
    /// How long the listener stays open after a stop begins. Closing it resets every client in its backlog, and those
    /// who connected before the stop are owed an answer. Zero for a socket that another process holds as well: its
    /// backlog passes to that process.
    pub last_call: Duration,
}

impl Limits {
    pub(super) fn wire(&self) -> WireLimits {
        WireLimits {
            max_head_bytes: self.max_head_bytes,
            idle_timeout: self.idle_timeout,
            head_timeout: self.head_timeout,
            body_timeout: self.body_timeout,
            write_timeout: self.write_timeout,
        }
    }
}
