//! The guard over a platform in memory: no process, no network, no waiting.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod again;
mod bench;
mod cut_store;
#[path = "../support/database/mod.rs"]
mod database;
mod decisions;
mod ends;
mod gates;
mod guardians;
mod intents;
mod kinds;
mod late;
mod limits;
mod lost;
mod memory_disk;
#[path = "../support/platform/mod.rs"]
mod platform;
mod power;
mod sample;
mod shelf;
mod stopped;
mod told;
mod verdicts;
mod world;
