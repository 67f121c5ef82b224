//! What every platform has to do as the ports say: run over memory and over a real lab.
#![cfg(feature = "lab")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is all test code; the lints only see #[test]")]

mod contract;
mod lab;
mod memory;
mod process;
