//! One stream as the pacer and its workers see it: who is free, and which connections are no longer believed in.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{route::Router, spec::MOST_WORKERS};

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
}

/// Where a stream writes.
pub enum Aim {
    /// To this node, whatever it says.
    Node(u16),
    /// To the primary, which it looks for.
    Primary(Router),
}

impl Lane {
    /// A lane without a free worker yet.
    pub fn new(stream: u16, aim: Aim, nodes: usize) -> Self {
        let broken = (0..nodes).map(|_| AtomicU64::new(0)).collect();
        Self { stream, aim, free: AtomicU64::new(0), broken }
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
    fn connections_that_break_together_count_once() {
        let lane = Lane::new(0, Aim::Node(0), 1);
        let old = lane.age(0);
        lane.broke(0, old);
        let new = lane.age(0);
        lane.broke(0, old);
        assert_eq!((new, lane.age(0)), (old + 1, new));
    }
}
