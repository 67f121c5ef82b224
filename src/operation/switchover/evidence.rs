//! All that a switchover's looks have found, as it is checkpointed in the journal.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::{
    model::Timestamp,
    slo::{self, Arms, Tally},
};

/// What is kept apart of the evidence: it grows with the series.
pub(super) const APART: &[&str] = &["/counted/old", "/counted/new"];

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
    /// Live requests of our own since the last counts came; they are no users.
    #[serde(default)]
    pub asked_live: u32,
    /// When the present watch began, by a wall clock that does not jump.
    #[serde(default)]
    pub watched_since: Option<Timestamp>,
}

/// What the counters have told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// The evidence about the objectives.
    pub slo: slo::Evidence,
    /// The old slot's counters, one tally per objective.
    #[serde(default)]
    pub old: Vec<Tally>,
    /// The new slot's counters, one tally per objective.
    #[serde(default)]
    pub new: Vec<Tally>,
    /// What the evidence has taken of them so far, one entry per objective; they may have been stored before that. Empty in journals
    /// of earlier releases, which store both at once.
    #[serde(default)]
    pub taken: Vec<Arms>,
    /// When the newest sample was taken, by the source's clock.
    pub newest: Option<Timestamp>,
    /// When the first sample was taken, by the source's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Time since a newer sample came.
    pub pending: Duration,
    /// Up to when the new slot's samples have served the bake, by the source's clock.
    #[serde(default)]
    pub served_until: Option<Timestamp>,
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
            taken: Vec::new(),
            newest: None,
            first: None,
            pending: Duration::ZERO,
            served_until: None,
        }
    }

    /// Goes on where the evidence stands, from tallies that may have been stored before.
    pub(super) fn restore(&mut self) {
        for (taken, (old, new)) in self.taken.iter().zip(self.old.iter_mut().zip(&mut self.new)) {
            new.restore(taken.candidate);
            old.restore(taken.baseline);
        }
    }

    /// What was counted since the look before, one entry per objective.
    pub(super) fn take(&mut self) -> Vec<Arms> {
        let tallies = self.old.iter_mut().zip(&mut self.new);
        let brought = tallies.map(|(old, new)| Arms { candidate: new.take(), baseline: old.take() }).collect();
        let tallies = self.old.iter().zip(&self.new);
        self.taken = tallies.map(|(old, new)| Arms { candidate: new.taken(), baseline: old.taken() }).collect();
        brought
    }

    /// The time from the first sample to the newest: only what came in it was counted.
    pub(super) fn lasted(&self) -> Option<Duration> {
        Duration::try_from(self.newest?.duration_since(self.first?)).ok().filter(|lasted| !lasted.is_zero())
    }
}
