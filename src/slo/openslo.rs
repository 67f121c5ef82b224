//! OpenSLO v1 documents as they are written; see <https://github.com/openslo/openslo>.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An SLO document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slo {
    /// The version of the format: `openslo/v1`.
    pub api_version: String,
    /// The kind: `SLO`.
    pub kind: String,
    /// Names the SLO.
    pub metadata: Labelled,
    /// What is promised.
    pub spec: SloSpec,
}

/// An SLI document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sli {
    /// The version of the format: `openslo/v1`.
    pub api_version: String,
    /// The kind: `SLI`.
    pub kind: String,
    /// Names the SLI.
    pub metadata: Labelled,
    /// What is measured.
    pub spec: Indicator,
}

/// A document that is read and has no use here: `DataSource`, `Service` and the kinds about alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unused {
    /// The version of the format: `openslo/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Names it.
    pub metadata: Labelled,
    /// Whatever it says.
    #[serde(default)]
    pub spec: Value,
}

/// Names a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Labelled {
    /// The name.
    pub name: String,
    /// The name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Labels; each holds a text or a list of them.
    #[serde(default)]
    pub labels: BTreeMap<String, Value>,
    /// Annotations; `interlock/burn` holds the burn rate that is tolerated during a change (1 when left out).
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What an SLO promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SloSpec {
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// The service that it is about.
    pub service: String,
    /// What is measured, written here.
    #[serde(default)]
    pub indicator: Option<InlineIndicator>,
    /// What is measured, by the name of an SLI.
    #[serde(default)]
    pub indicator_ref: Option<String>,
    /// The time that the promise is about; exactly one.
    #[serde(default)]
    pub time_window: Vec<TimeWindow>,
    /// How the error budget is counted.
    pub budgeting_method: BudgetingMethod,
    /// The promises.
    pub objectives: Vec<Goal>,
    /// Alert policies; read, and not used.
    #[serde(default)]
    pub alert_policies: Vec<Value>,
}

/// An SLI written inside of an SLO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InlineIndicator {
    /// Names it.
    #[serde(default)]
    pub metadata: Option<Labelled>,
    /// What is measured.
    pub spec: Indicator,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Indicator {
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// A share of good or bad events.
    #[serde(default)]
    pub ratio_metric: Option<RatioMetric>,
    /// A value that is compared with the objective's own.
    #[serde(default)]
    pub threshold_metric: Option<Query>,
}

/// A share of good or bad events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RatioMetric {
    /// Whether the queries give counters that only grow.
    #[serde(default)]
    pub counter: Option<bool>,
    /// Good events.
    #[serde(default)]
    pub good: Option<Query>,
    /// Bad events.
    #[serde(default)]
    pub bad: Option<Query>,
    /// All events.
    #[serde(default)]
    pub total: Option<Query>,
    /// What `raw` holds: `success` or `failure`.
    #[serde(default)]
    pub raw_type: Option<RawType>,
    /// A ready ratio.
    #[serde(default)]
    pub raw: Option<Query>,
}

/// The same as [`Query`], under the name that OpenSLO gives it.
pub type ThresholdMetric = Query;

/// What a ready ratio holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawType {
    /// The share of good events.
    Success,
    /// The share of bad events.
    Failure,
}

/// A query, in the place where OpenSLO keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// The source and the query.
    pub metric_source: MetricSource,
}

/// A source and a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricSource {
    /// The name of a `DataSource`; not used: the platform file says where counters are read.
    #[serde(default)]
    pub metric_source_ref: Option<String>,
    /// The kind of source, such as `Prometheus`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The query under `query`; what else stands here belongs to other sources.
    pub spec: BTreeMap<String, Value>,
}

/// The time that a promise is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeWindow {
    /// Its length, such as `30d`.
    pub duration: String,
    /// Whether it moves with the clock.
    #[serde(default)]
    pub is_rolling: Option<bool>,
    /// Where it begins, if it does not move.
    #[serde(default)]
    pub calendar: Option<Value>,
}

/// How an error budget is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BudgetingMethod {
    /// By events.
    Occurrences,
    /// By slices of time that are good or bad.
    Timeslices,
    /// By the mean share of slices of time.
    RatioTimeslices,
}

/// One promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Goal {
    /// The name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// How a threshold metric is compared.
    #[serde(default)]
    pub op: Option<Op>,
    /// What a threshold metric is compared with.
    #[serde(default)]
    pub value: Option<f64>,
    /// The share of good events, from 0 to 1.
    #[serde(default)]
    pub target: Option<f64>,
    /// The share of good events, in percent.
    #[serde(default)]
    pub target_percent: Option<f64>,
    /// The share of good events in a good slice of time.
    #[serde(default)]
    pub time_slice_target: Option<f64>,
    /// The length of a slice of time.
    #[serde(default)]
    pub time_slice_window: Option<String>,
    /// What is measured, where it is not the SLO's own.
    #[serde(default)]
    pub indicator: Option<InlineIndicator>,
    /// The same, by the name of an SLI.
    #[serde(default)]
    pub indicator_ref: Option<String>,
    /// The weight in a composite SLO; read, and not used.
    #[serde(default)]
    pub composite_weight: Option<f64>,
}

/// How a threshold metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Op {
    /// At most.
    Lte,
    /// Less than.
    Lt,
    /// At least.
    Gte,
    /// More than.
    Gt,
}
