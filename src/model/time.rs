//! Two clocks that are never mixed: wall time for people, boot time for waits and deadlines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point of wall time, in UTC. For people and for metric sources; never for measuring a wait.
pub type Timestamp = jiff::Timestamp;

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Wall time; it can jump.
    pub wall: Timestamp,
    /// Time since this machine booted, suspended time included; it never jumps and is the same in all processes.
    pub boot: Duration,
}

impl Moment {
    /// How long after `earlier` this is by the boot clock; zero if it is not after it.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }
}
