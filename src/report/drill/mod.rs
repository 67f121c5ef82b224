//! What a drill has measured, for people, machines and dashboards.

mod distribution;
mod figures;
mod json;
mod metrics;
mod sheet;
mod timeline;

pub use figures::figures;
pub use json::drill_json;
pub(in crate::report) use json::evidence;
pub use metrics::drill_metrics;
pub use sheet::drill;
