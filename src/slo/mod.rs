//! SLOs: documents, counts, burn rates, rules, and the verdict on a release. Pure: no async, no clock, no I/O.

mod baseline;
mod burn;
mod counting;
mod counts;
mod evidence;
mod growth;
mod increments;
mod joined;
mod look;
mod matchers;
mod objective;
mod openslo;
mod problem;
mod replicas;
mod rules;
mod slots;
mod stored;
mod terms;
mod unwrap;
mod verdict;
#[cfg(test)]
mod verdict_tests;

pub use baseline::{BaselineRefusal, freeze, freeze_without_baseline, observe_baseline};
pub use burn::{BurnWindow, Burning, Severity, budget_left, burn, burn_windows, burning};
pub use counting::{Counting, Side, check_edge};
pub use counts::Tally;
pub use evidence::{Evidence, observe};
pub use increments::{Increments, MOST_SERIES};
pub use joined::{SourceAnswer, joined};
pub use look::{Arms, Counts, ObserveContext};
pub use matchers::Matchers;
pub use objective::{Objective, Period, resolve};
pub use openslo::{
    BudgetingMethod, Goal, Indicator, InlineIndicator, Labelled, MetricSource, Op, Query, RatioMetric, RawType, Sli,
    Slo, SloSpec, ThresholdMetric, TimeWindow, Unused,
};
pub use problem::Problem;
pub use replicas::{replica_labels, without_replicas};
pub use rules::{bad_share, event_rate, prom_duration, promql, rules, share_of};
pub use slots::{Proposal, SlotNames, labels_found};
pub(crate) use stored::LabelsId;
pub use terms::{Assume, ObjectiveRule, Rules, TermsError};
pub use unwrap::{Histogram, quantile, selectors};
pub use verdict::{Excluded, ObjectiveProgress, Verdict, Wanting, judge, progress, smallest_excluded};
