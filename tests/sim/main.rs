//! The guard in a simulated world: every schedule of pauses, deaths, lost and late messages, power cuts and people obeys the
//! laws, or is found. ARCHITECTURE.md says how it works, CONTRIBUTING.md how to repeat a schedule.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod actors;
mod calls;
mod choices;
mod cluster;
#[path = "../support/database/mod.rs"]
mod database;
mod diagram;
mod drill;
mod keys;
mod laws;
mod machine;
#[expect(dead_code, reason = "it is shared with another suite")]
#[path = "../guard/memory_disk.rs"]
mod memory_disk;
mod mutants;
mod node;
mod objects;
mod platform;
mod scenario;
mod schedule;
mod search;
mod switch;
mod tests;
mod worker;
mod world;
mod writing;
