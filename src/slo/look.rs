//! What one look at the platform brought: requests and bad requests, per objective and slot.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Requests over some time, and how many of them were bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Requests, bad ones included.
    pub total: u64,
    /// Bad requests; never taken as more than the total.
    pub bad: u64,
}

impl Counts {
    /// `bad` of `total` requests.
    #[must_use]
    pub const fn new(total: u64, bad: u64) -> Self {
        Self { total, bad }
    }

    /// The bad share; `None` without requests.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| self.bad.min(self.total) as f64 / self.total as f64)
    }

    /// Adds another count to this one. Two series scraped apart may show more bad than all; that is cut off here.
    pub fn add(&mut self, more: Self) {
        self.total = self.total.saturating_add(more.total);
        self.bad = self.bad.saturating_add(more.bad.min(more.total));
    }

    /// Takes back what was added before.
    pub fn take_back(&mut self, counted: Self) {
        self.total = self.total.saturating_sub(counted.total);
        self.bad = self.bad.saturating_sub(counted.bad).min(self.total);
    }
}

/// The increments of both slots for one objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arms {
    /// The slot that is to be judged.
    pub candidate: Counts,
    /// The slot that served before.
    pub baseline: Counts,
}

/// The increments since the look before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserveContext {
    /// Time since the look before.
    pub elapsed: Duration,
    /// The bake time that the candidate's own samples cover: those that are new, and taken since the bake began.
    pub served: Duration,
    /// One entry per objective, in the order of the rules; one that is missing brought no requests.
    pub objectives: Vec<Arms>,
    /// interlock's own probes to the slot that served before: the only control when it gets no live traffic.
    pub control: Counts,
    /// Whether both slots took live traffic.
    pub both_live: bool,
    /// Whether there was new data; without it the look multiplies nothing and serves no bake time.
    pub fresh: bool,
}
