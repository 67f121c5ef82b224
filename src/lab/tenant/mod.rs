//! The service `tenant`: one replica of it, with whatever faults its release has.

mod access;
#[cfg(feature = "sql")]
mod database;
mod flow;
mod lifecycle;
mod metrics;
mod routes;
mod serve;
mod service;
mod upstream;

pub use serve::{Options, serve};
