//! The guard over a platform in memory: no process, no network, no waiting.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod again;
mod cut_store;
mod cuts;
mod ends;
#[cfg(feature = "lab")]
mod gates;
mod guardians;
mod intents;
#[cfg(feature = "lab")]
mod late;
mod memory_disk;
mod power;
mod sample;
mod shelf;
mod stopped;
#[cfg(feature = "lab")]
mod switchover;
mod told;
#[cfg(feature = "lab")]
mod verdicts;
#[cfg(feature = "lab")]
mod world;
