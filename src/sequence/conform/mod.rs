//! Whether what happened is what a diagram says: traces against interaction trees.

pub mod align;
mod binding;
mod check;
mod compile;
mod coverage;
mod fit;
mod instances;
mod judge;
pub(in crate::sequence) mod observe;
mod parties;
mod report;
mod states;
pub(in crate::sequence) mod texts;

pub use binding::{Binding, Expectation, Party, Repeat};
pub use check::check;
pub use report::{Coverage, Deviation, Difference, Instance, Observed, Problem, Report, SpanRef, StepState, Verdict};
pub use states::{StateReport, StateSource, Stray, check_states};
