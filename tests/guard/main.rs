//! The guard over a platform in memory: no process, no network, no waiting.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod cuts;
mod ends;
mod shelf;
