//! Open-loop load: requests start when they are due, whatever became of those before.

mod pacer;
mod report;
mod run;

pub use report::{Connections, Failures, Lag, Latency, Report, Second};
pub use run::{Progress, Spec, run};
