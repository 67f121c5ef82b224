//! Whether what happened is what a diagram says: traces against interaction trees.

pub mod align;
mod binding;
mod report;

pub use binding::{Binding, Expectation, Party, Repeat};
pub use report::{Coverage, Deviation, Difference, Instance, Observed, Problem, Report, SpanRef, StepState, Verdict};
