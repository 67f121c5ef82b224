//! All that a drill's looks have found, as it is checkpointed in the journal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ledger::{Judgement, Measurement};
use crate::{ports::Topology, slo::Tally};

/// What the looks of a drill have found so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The repetitions that were measured.
    pub cycles: Vec<Cycle>,
    /// What became of the promises, once all were.
    pub judgement: Option<Judgement>,
    /// The counters of the users' objectives, since the first look.
    pub users: Vec<Tally>,
    /// How long the users could not be seen.
    pub unseen: Duration,
}

/// One repetition, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// What the ledger says.
    pub measurement: Measurement,
    /// How long bringing the host back took, until its node followed the primary; in milliseconds.
    pub rejoin_ms: Option<u64>,
    /// The cluster as it was right before the fault.
    pub before: Topology,
    /// The cluster in the end.
    pub after: Topology,
}
