//! The service `tenant`: one replica of it, with whatever faults its release has.

mod defects;
mod lifecycle;
mod metrics;
mod routes;
mod serve;
mod service;

pub use serve::{Options, serve};
