//! Drills for real: the lab's clusters of PostgreSQL, Patroni and MariaDB, the real binary, real faults.
#![cfg(all(feature = "lab", feature = "sql"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is all test code; the lints only see #[test]"
)]

mod accuracy;
mod control;
mod door;
mod drills;
mod figures;
mod killed;
mod own;
mod refused;
mod stage;
