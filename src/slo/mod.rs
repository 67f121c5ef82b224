//! SLOs: documents, counts, burn rates, rules. Pure: no async, no clock, no I/O.

mod burn;
mod counting;
mod counts;
mod increments;
mod objective;
mod openslo;
mod problem;
mod rules;
mod unwrap;

pub use burn::{BurnWindow, Burning, Severity, budget_left, burn, burn_windows, burning};
pub use counting::{Counting, Side, check_edge};
pub use counts::{Counts, Tally};
pub use increments::Increments;
pub use objective::{Objective, Period, resolve};
pub use openslo::{
    BudgetingMethod, Goal, Indicator, InlineIndicator, Labelled, MetricSource, Op, Query, RatioMetric, RawType, Sli,
    Slo, SloSpec, ThresholdMetric, TimeWindow, Unused,
};
pub use problem::Problem;
pub use rules::{bad_share, prom_duration, promql, rules};
pub use unwrap::{Histogram, quantile, selectors};
