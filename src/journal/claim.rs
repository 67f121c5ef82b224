//! A claim to a target for one term, and its owner's signs of life, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::model::{Epoch, Moment, RunId, Target, Timestamp};

/// Who holds a target in one term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The target.
    pub target: Target,
    /// The term.
    pub epoch: Epoch,
    /// The run.
    pub run: RunId,
    /// Who acts for it.
    pub owner: Owner,
    /// How long after its last sign of life the owner counts as gone.
    pub ttl: Duration,
    /// When it was made: the first sign of life.
    pub at: Beat,
}

/// A sign of life, by the clocks of whoever gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// By the boot clock.
    pub boot: Duration,
    /// By the wall clock.
    pub wall: Timestamp,
}

impl From<Moment> for Beat {
    fn from(now: Moment) -> Self {
        Self { boot: now.boot, wall: now.wall }
    }
}
