//! Who writes and polls, how often, and how long each may wait.

use std::time::Duration;

use crate::{error::Error, operation::drill::ledger::Micros};

/// The most workers that a stream may have.
pub(super) const MOST_WORKERS: usize = 64;
/// The most slots a second that a stream may have.
const FASTEST: f64 = 10_000.0;

/// The writers of a drill.
#[derive(Debug, Clone, PartialEq)]
pub struct WriterSpec {
    /// Writes a second of the writer that looks for the primary.
    pub rate: f64,
    /// Writes a second of the writer that is pinned to each node; `None` for no such writers. A standby refuses all of them, and
    /// may say so in its log.
    pub per_node: Option<f64>,
    /// How many writes of one stream may be under way. A node has to let in as many connections for the writer that looks for
    /// the primary, as many for its own, and two for polls.
    pub workers: usize,
    /// How long a write may take before nobody can say what became of it.
    pub statement_within: Duration,
    /// How long connecting may take.
    pub connect_within: Duration,
    /// The time between two polls of a node.
    pub poll_every: Duration,
}

impl WriterSpec {
    /// Writers of one rate, looking for the primary and at each node: 8 workers, 1 s for a write, 300 ms to connect, polls
    /// every 20 ms.
    #[must_use]
    pub const fn new(rate: f64) -> Self {
        Self {
            rate,
            per_node: Some(rate),
            workers: 8,
            statement_within: Duration::from_secs(1),
            connect_within: Duration::from_millis(300),
            poll_every: Duration::from_millis(20),
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// Names the first thing that does not, and its bounds.
    pub fn check(&self) -> Result<(), Error> {
        for rate in [Some(self.rate), self.per_node].into_iter().flatten() {
            if !(0.1..=FASTEST).contains(&rate) {
                let what = format!("a writer cannot write {rate} times a second");
                return Err(Error::usage(what, format!("give it from 0.1 to {FASTEST} writes a second")));
            }
        }
        if !(1..=MOST_WORKERS).contains(&self.workers) {
            let what = format!("a writer cannot have {} workers", self.workers);
            return Err(Error::usage(what, format!("give it from 1 to {MOST_WORKERS}")));
        }
        let bounded = |time: Duration| (Duration::from_millis(1)..=Duration::from_secs(60)).contains(&time);
        if ![self.statement_within, self.connect_within, self.poll_every].into_iter().all(bounded) {
            let what = "a time of the writer is out of bounds";
            return Err(Error::usage(what, "deadlines and the time between polls are from 1ms to 1m"));
        }
        Ok(())
    }

    /// The time between two slots at a rate, in microseconds.
    pub(super) fn period(rate: f64) -> Micros {
        Micros::from(Duration::from_secs_f64(1.0 / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_a_mend() {
        let good = WriterSpec::new(400.0);
        assert!(good.check().is_ok());
        let bad = [
            WriterSpec { rate: 0.0, ..good.clone() },
            WriterSpec { rate: f64::NAN, ..good.clone() },
            WriterSpec { per_node: Some(1e9), ..good.clone() },
            WriterSpec { workers: 0, ..good.clone() },
            WriterSpec { workers: 65, ..good.clone() },
            WriterSpec { poll_every: Duration::ZERO, ..good.clone() },
            WriterSpec { statement_within: Duration::MAX, ..good },
        ];
        for spec in bad {
            assert!(spec.check().is_err_and(|e| !e.hint().is_empty()), "{spec:?}");
        }
    }
}
