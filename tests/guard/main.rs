//! The guard over a platform in memory: no process, no network, no waiting.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod again;
mod anew;
mod bench;
mod bytes;
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
mod lineage;
mod lists;
mod lost;
mod memory_disk;
#[path = "../support/platform/mod.rs"]
mod platform;
mod power;
mod prepared;
mod sample;
mod shelf;
mod stopped;
mod superseded;
mod telling;
mod told;
mod verdicts;
mod world;
