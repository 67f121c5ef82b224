//! Service level objectives, and the verdict on a release that is measured against them. Pure: no clock, no I/O.

mod baseline;
mod evidence;
mod look;
mod terms;
mod verdict;
#[cfg(test)]
mod verdict_tests;

pub use baseline::{BaselineRefusal, freeze, freeze_without_baseline, observe_baseline};
pub use evidence::{Evidence, observe};
pub use look::{Arms, Counts, Look};
pub use terms::{Assume, ObjectiveRule, Rules, TermsError};
pub use verdict::{Excluded, ObjectiveProgress, Verdict, Wanting, judge, progress, smallest_excluded};
