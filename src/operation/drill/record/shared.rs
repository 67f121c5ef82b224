//! What the pacer, the workers and the pollers of one recorder share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{WriterSpec, book::Book, progress::Tally};
use crate::{
    operation::drill::ledger::{Attempt, Line, Micros, Miss},
    ports::Database,
};

/// The most writes of one drill, so that its records fit into 256 MiB: a quarter of an hour at 4,000 a second.
const MOST: u64 = 4_000_000;
const _: () = assert!(size_of::<Attempt>() <= 64, "the bound on memory counts on it");

/// The ledger's clock: monotonic, and of this process alone, since nothing may be compared with times of another one.
#[derive(Clone, Copy)]
pub struct LedgerClock(Instant);

impl LedgerClock {
    /// Begins now.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Reads it.
    pub fn now(self) -> Micros {
        Micros::from(self.0.elapsed())
    }

    /// What it shows at an instant.
    pub fn at(self, instant: Instant) -> Micros {
        Micros::from(instant.saturating_duration_since(self.0))
    }
}

/// What all parts of one recorder share.
pub struct Shared {
    /// The database.
    pub database: Arc<dyn Database>,
    /// Its nodes.
    pub nodes: Vec<String>,
    /// Who writes, and how.
    pub spec: WriterSpec,
    /// The clock.
    pub clock: LedgerClock,
    /// Where everything is written down.
    pub book: Book,
    /// The counts so far.
    pub tally: Tally,
    /// No more slots come due.
    pub stop: AtomicBool,
    first: u64,
    used: AtomicU64,
}

impl Shared {
    /// What a recorder's parts share, with ids from `first` on.
    pub fn new(database: Arc<dyn Database>, nodes: Vec<String>, spec: WriterSpec, book: Book, first: u64) -> Self {
        let clock = LedgerClock::begin();
        let tally = Tally::new(WriterSpec::period(spec.rate));
        let (stop, used) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { database, nodes, spec, clock, book, tally, stop, first, used }
    }

    /// An id that was not used yet; `None` once there were as many writes as the memory is meant for.
    pub fn id(&self) -> Option<u64> {
        let used = self.used.fetch_add(1, Ordering::Relaxed);
        if used == MOST {
            self.book.add(Line::Trouble { what: format!("writing stopped after {MOST} writes, which is the most") });
            self.stop.store(true, Ordering::Relaxed);
        }
        (used < MOST).then(|| self.first.saturating_add(used))
    }

    /// A slot was missed.
    pub fn miss(&self, stream: u16, due: Micros, why: Miss) {
        self.tally.miss();
        self.book.begin(Line::Missed { stream, due, why });
    }

    /// A node's name.
    pub fn node(&self, index: u16) -> &str {
        self.nodes.get(usize::from(index)).map_or("", String::as_str)
    }
}
