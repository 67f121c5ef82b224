//! The ledger of drills: constructed records with known answers, and the recorder on a database in memory with known outages.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is all test code; the lints only see #[test]"
)]

mod bounds;
mod classic;
mod fake;
mod faults;
mod gates;
mod outages;
mod recording;
mod rows;
mod splits;
mod story;
mod witness;
