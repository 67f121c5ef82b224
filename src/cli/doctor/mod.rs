//! `interlock doctor`: what is reachable, permitted and missing, before it is needed.

mod asked;
mod cluster;
mod command;
mod database;
mod machine;
mod metrics;
mod service;
mod store;

pub use command::Args;
