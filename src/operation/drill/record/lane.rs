//! One stream as the pacer and its workers see it: who is free, and which connections are no longer believed in.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{route::Router, spec::MOST_WORKERS};
use crate::operation::drill::ledger::Micros;

/// So far apart connections to one node are begun while one is being made: all workers at once would keep the first from
/// being done, and lengthen an outage that is over.
const APART: Micros = Micros::millis(100);

/// What the workers of one stream share. Nothing in here is waited for.
pub struct Lane {
    /// The stream's index.
    pub stream: u16,
    /// Where it writes.
    pub aim: Aim,
    /// A bit for each worker that waits for a slot.
    free: AtomicU64,
    /// For each node how often a connection to it has broken.
    broken: Vec<AtomicU64>,
    /// For each node when the last connection that is being made was begun; 0 where none is.
    connecting: Vec<AtomicU64>,
}

/// One worker's turn to connect to a node; over when it is dropped.
pub struct Turn {
    lane: Arc<Lane>,
    node: u16,
    mark: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(begun) = self.lane.connecting.get(usize::from(self.node)) {
            // Where it hung, another worker's turn has begun since.
            let _ = begun.compare_exchange(self.mark, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Where a stream writes.
pub enum Aim {
    /// To this node, whatever it says.
    Node(u16),
    Primary(Router),
}

impl Lane {
    /// A lane without a free worker yet.
    pub fn new(stream: u16, aim: Aim, nodes: usize) -> Self {
        let zeros = || (0..nodes).map(|_| AtomicU64::new(0)).collect();
        Self { stream, aim, free: AtomicU64::new(0), broken: zeros(), connecting: zeros() }
    }

    /// This worker waits for a slot.
    pub fn release(&self, worker: usize) {
        self.free.fetch_or(1 << worker, Ordering::Release);
    }

    /// Takes a free worker, the next one in turn: so the load is spread over all of them. Only the pacer may call it.
    pub fn take(&self, turn: &mut usize) -> Option<usize> {
        let free = self.free.load(Ordering::Acquire);
        let ahead = free.rotate_right(u32::try_from(*turn % MOST_WORKERS).unwrap_or(0)).trailing_zeros();
        let worker = (free != 0).then_some((*turn + ahead as usize) % MOST_WORKERS)?;
        self.free.fetch_and(!(1 << worker), Ordering::AcqRel);
        *turn = (worker + 1) % MOST_WORKERS;
        Some(worker)
    }

    /// How often a connection to a node has broken so far: one that was made before the last time is not used again, since what
    /// cuts one usually cuts all, and its write would be of unknown outcome.
    pub fn age(&self, node: u16) -> u64 {
        self.broken.get(usize::from(node)).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Takes the turn to connect to a node; `None` while another worker has just begun to.
    pub fn turn(self: &Arc<Self>, node: u16, now: Micros) -> Option<Turn> {
        let begun = self.connecting.get(usize::from(node))?;
        let last = begun.load(Ordering::Relaxed);
        let free = last == 0 || now.since(Micros(last)) >= APART;
        let mark = now.0.max(1);
        let taken = free && begun.compare_exchange(last, mark, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        taken.then(|| Turn { lane: self.clone(), node, mark })
    }

    /// A connection of this age to a node broke. Those that break with it count once.
    pub fn broke(&self, node: u16, age: u64) {
        if let Some(count) = self.broken.get(usize::from(node)) {
            count.fetch_max(age + 1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_take_turns_and_none_is_taken_twice() {
        let lane = Lane::new(0, Aim::Node(0), 1);
        let mut turn = 0;
        assert_eq!(lane.take(&mut turn), None);
        [0, 3, 63].into_iter().for_each(|worker| lane.release(worker));
        let taken: Vec<_> = (0..4).map(|_| lane.take(&mut turn)).collect();
        assert_eq!(taken, [Some(0), Some(3), Some(63), None]);
        [0, 3].into_iter().for_each(|worker| lane.release(worker));
        assert_eq!([lane.take(&mut turn), lane.take(&mut turn)], [Some(0), Some(3)]);
        [0, 3].into_iter().for_each(|worker| lane.release(worker));
        turn = 1;
        assert_eq!([lane.take(&mut turn), lane.take(&mut turn)], [Some(3), Some(0)]);
    }

    #[test]
    fn connections_are_begun_one_after_the_other_and_one_that_hangs_holds_none_up_for_long() {
        let lane = Arc::new(Lane::new(0, Aim::Node(0), 1));
        let [begun, soon, later] = [5, 50, 105].map(Micros::millis);
        let hangs = lane.turn(0, begun);
        assert!(hangs.is_some() && lane.turn(0, soon).is_none());
        let second = lane.turn(0, later);
        drop(hangs);
        assert!(second.is_some() && lane.turn(0, later).is_none());
        drop(second);
        assert!(lane.turn(0, later).is_some());
    }

    #[test]
    fn connections_that_break_together_count_once() {
        let lane = Lane::new(0, Aim::Node(0), 1);
        let old = lane.age(0);
        lane.broke(0, old);
        let new = lane.age(0);
        lane.broke(0, old);
        assert_eq!((new, lane.age(0)), (old + 1, new));
    }
}
