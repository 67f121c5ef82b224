//! How far the writers have come, cheap enough to be asked at any time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{operation::drill::ledger::Micros, ports::Written};

/// A routed writer that had no acknowledgement for longer is not steady; ten of its periods, if that is longer.
const UNSTEADY: Micros = Micros::millis(100);
/// Nothing was acknowledged yet.
const NEVER: u64 = u64::MAX;

/// How far the writers have come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Now, on the ledger's clock.
    pub at: Micros,
    /// Writes so far, of all streams.
    pub attempts: u64,
    /// Acknowledged ones so far, of all streams.
    pub acknowledged: u64,
    /// Acknowledged ones of the routed writer.
    pub routed: u64,
    /// Time since the routed writer's last acknowledgement; `None` if it had none.
    pub since_last: Option<Micros>,
    /// For how long the routed writer has had acknowledgements without a pause; zero in a pause.
    pub steady: Micros,
    /// The node that acknowledged last to the routed writer.
    pub primary: Option<String>,
    /// Writes so far of which nobody knows what became of them.
    pub unknown: u64,
    /// The share of slots missed so far, of all streams and for any cause, from 0 to 1.
    pub missed: f64,
}

/// Counts while it happens.
pub struct Tally {
    unsteady: Micros,
    attempts: AtomicU64,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    missed: AtomicU64,
    routed: AtomicU64,
    last: AtomicU64,
    steady_since: AtomicU64,
    primary: AtomicUsize,
}

impl Tally {
    /// Counts for a routed writer with this period.
    pub fn new(period: Micros) -> Self {
        let zero = AtomicU64::default;
        Self {
            unsteady: UNSTEADY.max(period * 10),
            attempts: zero(),
            acknowledged: zero(),
            unknown: zero(),
            missed: zero(),
            routed: zero(),
            last: AtomicU64::new(NEVER),
            steady_since: zero(),
            primary: AtomicUsize::new(usize::MAX),
        }
    }

    /// A slot was missed.
    pub fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// A write ended at a node.
    pub fn end(&self, routed: bool, node: u16, at: Micros, written: &Written) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        match written {
            Written::Acknowledged => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                if routed {
                    self.routed_ack(node, at);
                }
            }
            Written::Unknown { .. } => {
                self.unknown.fetch_add(1, Ordering::Relaxed);
            }
            Written::Refused { .. } => {}
        }
    }

    fn routed_ack(&self, node: u16, at: Micros) {
        self.routed.fetch_add(1, Ordering::Relaxed);
        self.primary.store(usize::from(node), Ordering::Relaxed);
        let last = self.last.swap(at.0, Ordering::Relaxed);
        if last == NEVER || at.since(Micros(last)) > self.unsteady {
            self.steady_since.store(at.0, Ordering::Relaxed);
        }
    }

    /// How far it has come.
    #[expect(clippy::cast_precision_loss, reason = "2^53 slots are out of reach")]
    pub fn progress(&self, at: Micros, nodes: &[String]) -> Progress {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last = Some(read(&self.last)).filter(|last| *last != NEVER).map(Micros);
        let since_last = last.map(|last| at.since(last));
        let steady = match since_last {
            Some(silent) if silent <= self.unsteady => at.since(Micros(read(&self.steady_since))),
            _ => Micros(0),
        };
        let (attempts, missed) = (read(&self.attempts), read(&self.missed));
        Progress {
            at,
            attempts,
            acknowledged: read(&self.acknowledged),
            routed: read(&self.routed),
            since_last,
            steady,
            primary: nodes.get(self.primary.load(Ordering::Relaxed)).cloned(),
            unknown: read(&self.unknown),
            missed: missed as f64 / (attempts + missed).max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_begins_steadiness_anew() {
        let tally = Tally::new(Micros::millis(2));
        let nodes = ["a".to_owned(), "b".to_owned()];
        let at = |millis| tally.progress(Micros::millis(millis), &nodes);
        assert_eq!((at(50).since_last, at(50).steady), (None, Micros(0)));
        for millis in (100..=400).step_by(50) {
            tally.end(true, 0, Micros::millis(millis), &Written::Acknowledged);
        }
        assert_eq!((at(410).steady, at(410).primary), (Micros::millis(310), Some("a".to_owned())));
        assert_eq!((at(501).steady, at(501).since_last), (Micros(0), Some(Micros::millis(101))));
        tally.end(true, 1, Micros::millis(600), &Written::Acknowledged);
        tally.end(false, 0, Micros::millis(640), &Written::Acknowledged);
        tally.end(true, 1, Micros::millis(650), &Written::Unknown { class: "eof".into() });
        tally.miss();
        let now = at(650);
        assert_eq!((now.steady, now.primary.as_deref()), (Micros::millis(50), Some("b")));
        assert_eq!((now.attempts, now.acknowledged, now.routed, now.unknown), (10, 9, 8, 1));
        assert!((now.missed - 1.0 / 11.0).abs() < 1e-9);
    }
}
