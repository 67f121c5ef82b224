//! Traces over OTLP: a real receiver on a real port with real senders, files, and whatever bytes anybody may send.
#![cfg(feature = "otlp")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bounds;
mod contract;
mod decode;
mod ends;
mod files;
#[cfg(feature = "lab")]
mod listens;
mod mutations;
mod receiver;
mod samples;
#[cfg(feature = "lab")]
mod sdk;
mod sender;
