//! What a drill has measured, for people, machines and dashboards.

mod distribution;
mod figures;
mod json;
mod metrics;
mod sheet;
mod timeline;

pub use figures::figures;
pub use metrics::metrics;
pub use sheet::{report, serves};
