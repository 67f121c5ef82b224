//! Changes a running platform only while its SLOs hold, and puts it back when they don't.

pub mod cli;
pub mod error;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod ports;
pub mod process;
