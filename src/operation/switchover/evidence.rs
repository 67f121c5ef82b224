//! All that a switchover's looks have found, as it is checkpointed in the journal.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::{
    model::Timestamp,
    slo::{self, Tally},
};

/// What the looks of a switchover have found so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What the counters have told.
    pub counted: Option<Counted>,
    /// How often each of the new slot's replicas had exited before the run, by name.
    pub exits_before: Option<BTreeMap<String, u64>>,
    /// How long too few of the new slot's replicas have not been ready.
    pub unready: Duration,
    /// How long the traffic of both slots together has been too low.
    pub quiet: Duration,
    /// The requests per second at both slots before the switch.
    pub expected_rate: Option<f64>,
    /// The looks in a row in which the new slot failed all probes, while the old one passed.
    pub dead_looks: u32,
    /// The bake time that had been served when the present watch began.
    pub served_before: Duration,
    /// The looks of the present watch that have asked in vain.
    pub in_vain: u32,
}

/// What the counters have told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// The evidence about the objectives.
    pub slo: slo::Evidence,
    /// The old slot's counters, one tally per objective.
    pub old: Vec<Tally>,
    /// The new slot's counters, one tally per objective.
    pub new: Vec<Tally>,
    /// When the newest sample was taken, by the source's clock.
    pub newest: Option<Timestamp>,
    /// Time since a newer sample came.
    pub pending: Duration,
}

impl Counted {
    /// Begins to count at `start`.
    pub(super) fn begin(spec: &Spec, start: Timestamp) -> Self {
        let tallies = |labels| -> Vec<_> {
            spec.objectives.iter().map(|objective| Tally::new(objective.counting.with(labels), start)).collect()
        };
        Self {
            slo: slo::Evidence::new(&spec.rules),
            old: tallies(&spec.old_labels),
            new: tallies(&spec.new_labels),
            newest: None,
            pending: Duration::ZERO,
        }
    }
}
