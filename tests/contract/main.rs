//! What every platform and every run store has to do: run over memory, a real lab, and folders.
#![cfg(feature = "lab")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is all test code; the lints only see #[test]")]

mod contract;
mod folder;
mod lab;
mod memory;
#[path = "../support/platform/mod.rs"]
mod platform;
mod process;
mod store;
