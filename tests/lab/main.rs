//! The faults that a switchover has to survive: the real binary, a real lab, real load, a real guardian.
#![cfg(feature = "lab")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is all test code; the lints only see #[test]"
)]

mod command;
mod cuts;
mod database;
mod demo;
mod disk;
mod doctor;
#[cfg(feature = "otlp")]
mod full;
mod guardians;
mod in_the_way;
mod journal;
mod metrics;
mod owners;
mod platform;
mod replica;
#[cfg(feature = "sql")]
mod rows;
mod scripts;
mod servers;
mod signals;
mod stage;
mod switch;
mod traces;
