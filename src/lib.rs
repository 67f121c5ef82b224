//! Changes a running platform only while its SLOs hold, and puts it back when they don't.

pub mod adapters;
pub mod cli;
pub mod document;
pub mod error;
pub mod model;
pub mod ports;
pub mod report;
pub mod slo;
