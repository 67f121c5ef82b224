//! Traces over OTLP, OpenTelemetry's own protocol: a receiver on HTTP, and files.
//!
//! Source: the OTLP specification, and `opentelemetry/proto/trace/v1/trace.proto`.

mod base64;
mod batch;
mod files;
mod json;
mod protobuf;
mod receiver;
mod room;
mod weight;

pub use files::{FileLimits, TraceFiles};
pub use json::write as write_json_lines;
pub use receiver::{Counts, Limits, Receiver};
