//! Changes a running platform only while its SLOs hold, and puts it back when they don't.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod document;
pub mod error;
pub mod guard;
pub mod journal;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod ops;
pub mod ports;
pub mod process;
pub mod report;
pub mod slo;
pub mod stats;
