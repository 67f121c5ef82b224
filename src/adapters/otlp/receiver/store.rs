//! What a receiver holds: the spans, how many it could not take, and how long nothing came.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::Limits;
use crate::{
    adapters::otlp::{batch::Batch, room::Room},
    model::trace::{Span, TraceId},
};

/// How many spans are held together; small batches that come shortly after each other are joined up to this.
const TOGETHER: usize = 4096;
/// How far apart they may come.
const SHORTLY: Duration = Duration::from_millis(100);
/// Of how many refused bodies it is remembered that they may come again.
const REMEMBERED: usize = 4096;

/// What has come in so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    /// Spans that are held now.
    pub held: usize,
    /// Bytes that they take.
    pub bytes: usize,
    /// Spans that were no valid ones.
    pub rejected: u64,
    /// Spans that were refused for want of room, and were not sent again so far.
    pub refused: u64,
    /// Requests whose spans nobody could count: broken, too long, too slow, or in another format.
    pub broken: u64,
}

impl Counts {
    /// Spans that were sent and cannot be told any more; of a request that could not be read, at least one.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.rejected + self.refused + self.broken
    }
}

/// The spans of a receiver.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) room: Room,
    busy: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    batches: Vec<Held>,
    held: (usize, usize),
    latest: Instant,
    accepted: u64,
    rejected: u64,
    broken: u64,
    /// Spans of refused bodies that are not remembered any more.
    gone: u64,
    /// The spans of refused bodies, by what tells a body when it comes again.
    refused: HashMap<u64, u64>,
}

/// Spans that came at about the same time.
#[derive(Debug, Clone)]
struct Held {
    first: Instant,
    last: Instant,
    spans: Arc<Vec<Span>>,
}

/// A request that is being served; the receiver is not quiet as long as there is one.
pub(super) struct Busy<'s>(&'s Store);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state().latest = Instant::now();
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tells a body when it comes again.
pub(super) fn mark(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

impl Store {
    pub(super) fn new(limits: &Limits) -> Self {
        let state = State {
            batches: Vec::new(),
            held: (0, 0),
            latest: Instant::now(),
            accepted: 0,
            rejected: 0,
            broken: 0,
            gone: 0,
            refused: HashMap::new(),
        };
        Self { room: Room::new(limits.spans, limits.held), busy: AtomicU64::new(0), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks that a request is being served.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::SeqCst);
        Busy(self)
    }

    /// Keeps the spans of a body that was accepted.
    pub(super) fn keep(&self, batch: Batch<'_>, body: &[u8]) {
        let rejected = batch.rejected.count;
        let (spans, bytes) = batch.keep();
        let mut state = self.state();
        let now = Instant::now();
        state.latest = now;
        state.rejected += rejected;
        state.accepted += spans.len() as u64;
        state.held = (state.held.0 + spans.len(), state.held.1 + bytes);
        if !state.refused.is_empty() {
            state.refused.remove(&mark(body));
        }
        if spans.is_empty() {
            return;
        }
        if let Some(held) = state.batches.last_mut()
            && now.duration_since(held.first) <= SHORTLY
            && let Some(together) = Arc::get_mut(&mut held.spans)
            && together.len() + spans.len() <= TOGETHER
        {
            together.extend(spans);
            held.last = now;
            return;
        }
        state.batches.push(Held { first: now, last: now, spans: Arc::new(spans) });
    }

    /// Notes a body that was refused for want of room; its sender may send it again.
    pub(super) fn refuse(&self, spans: usize, body: &[u8]) {
        let mut state = self.state();
        state.latest = Instant::now();
        if state.refused.len() < REMEMBERED {
            state.refused.insert(mark(body), spans as u64);
        } else {
            state.gone += spans as u64;
        }
    }

    /// Notes a request whose spans nobody can count.
    pub(super) fn broke(&self) {
        self.state().broken += 1;
    }

    /// What has come in so far.
    pub(super) fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            accepted: state.accepted,
            held: state.held.0,
            bytes: state.held.1,
            rejected: state.rejected,
            refused: state.gone + state.refused.values().sum::<u64>(),
            broken: state.broken,
        }
    }

    /// How long nothing has come, since the start where nothing has come at all.
    pub(super) fn quiet(&self) -> Duration {
        if self.busy.load(Ordering::SeqCst) > 0 {
            return Duration::ZERO;
        }
        self.state().latest.elapsed()
    }

    /// All spans as they stand now.
    pub(super) fn snapshot(&self) -> Vec<Arc<Vec<Span>>> {
        self.state().batches.iter().map(|held| held.spans.clone()).collect()
    }

    /// Traces of which something has come not longer ago than this.
    pub(super) fn fresh(&self, within: Duration) -> BTreeSet<TraceId> {
        let batches = self.state().batches.clone();
        let fresh = batches.iter().rev().take_while(|held| held.last.elapsed() <= within);
        fresh.flat_map(|held| held.spans.iter().map(|span| span.trace)).collect()
    }

    /// Takes all spans out, and with them their place.
    pub(super) fn drain(&self) -> Vec<Span> {
        let (batches, (spans, bytes)) = {
            let mut state = self.state();
            (std::mem::take(&mut state.batches), std::mem::take(&mut state.held))
        };
        let mut all = Vec::with_capacity(spans);
        for held in batches {
            // Somebody may be looking at it just now.
            all.extend(Arc::try_unwrap(held.spans).unwrap_or_else(|shared| (*shared).clone()));
        }
        self.room.give(spans, bytes);
        all
    }
}
