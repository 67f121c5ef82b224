//! The bounds of a receiver.

use std::time::Duration;

/// What a receiver takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub spans: usize,
    /// Bytes that they take in memory.
    pub held: usize,
    /// Bytes of one body, as it was sent and also once it is inflated.
    pub body: usize,
    /// Bytes of all bodies that are being read at a time.
    pub bodies: usize,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// How long a sender may take for a body; also how long it waits for a place among the bodies.
    pub within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spans: 1_000_000,
            held: 512 << 20,
            body: 64 << 20,
            bodies: 256 << 20,
            connections: 256,
            within: Duration::from_secs(30),
        }
    }
}
