//! Cumulative counters of a platform, series by series, so that evidence can be added up.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::model::Timestamp;

/// The labels of a series, without its metric name.
pub type Labels = BTreeMap<String, String>;

/// Picks series: a metric's name and matchers in PromQL's form, such as `code=~"5.."`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// The metric's name.
    pub metric: String,
    /// Matchers that all have to hold.
    pub matchers: Vec<Matcher>,
    /// What is counted where the series are native histograms; `None` where they are plain counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

impl Selector {
    /// Picks plain counters.
    #[must_use]
    pub const fn counters(metric: String, matchers: Vec<Matcher>) -> Self {
        Self { metric, matchers, native: None }
    }
}

/// Which observations of a native histogram are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Native {
    /// All of them.
    Count,
    /// Those up to an edge of its buckets, as text, so that selectors can be compared and sorted.
    UpTo(String),
}

/// One label matcher.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Matcher {
    /// The label's name.
    pub label: String,
    /// How the label is compared.
    pub op: MatchOp,
    /// What it is compared with; a regular expression is anchored at both ends.
    pub value: String,
}

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
}

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When the source took it.
    pub at: Timestamp,
    /// The counter's value.
    pub value: f64,
}

/// The samples of one series, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The series' labels.
    pub labels: Labels,
    /// Its samples, oldest first.
    pub points: Vec<Point>,
}

/// Reads raw cumulative series; never rates and never sums.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// Reads the raw samples after `since` of all series that the selector picks.
    ///
    /// An empty answer means that the source has none; it does not mean that nothing happened.
    ///
    /// # Errors
    /// Where the source cannot be reached, is refused, or answers nonsense.
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError>;
    /// Names the source for people, such as `prometheus http://127.0.0.1:9090`.
    fn name(&self) -> String;
}
