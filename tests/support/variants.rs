//! Alignments of labels alone, and of sequences that were aligned before: equal ones cost one lookup.

use std::{collections::HashMap, sync::Arc};

use interlock::sequence::conform::align::{Aligner, Alignment, Budget, Event, Exhausted, Label};

/// The cheapest alignment where every event fits every step of its label, and costs 1 if it is extra.
pub fn align_plain(aligner: &Aligner, labels: &[Label], budget: Budget) -> Result<Alignment, Exhausted> {
    let events: Vec<Event> = labels.iter().map(|label| Event { label: *label, extra: 1 }).collect();
    aligner.align(&events, &|_, _| Some(0), budget)
}

/// What came of one variant.
type Known = Result<Arc<Alignment>, Exhausted>;

/// A tree with the sequences that it was aligned with so far.
///
/// All that it remembers stays below a number of labels and moves; what comes later is aligned each time.
#[derive(Debug)]
pub struct Variants<'a> {
    aligner: &'a Aligner,
    budget: Budget,
    known: HashMap<Box<[Label]>, Known>,
    /// Labels and moves that may still be remembered.
    left: usize,
}

impl<'a> Variants<'a> {
    /// How many labels and moves are remembered by default: some 30 MB.
    pub const MOST: usize = 1 << 20;

    /// Remembers nothing yet; `most` labels and moves at the end.
    pub fn new(aligner: &'a Aligner, budget: Budget, most: usize) -> Self {
        Self { aligner, budget, known: HashMap::new(), left: most }
    }

    /// As [`align_plain`].
    pub fn align(&mut self, labels: &[Label]) -> Known {
        if let Some(known) = self.known.get(labels) {
            return known.clone();
        }
        let found = align_plain(self.aligner, labels, self.budget).map(Arc::new);
        // A few more for the entry itself, so that many short sequences are bounded as well.
        let size = labels.len() + found.as_ref().map_or(0, |found| found.moves.len() + found.choices.len()) + 8;
        if let Some(left) = self.left.checked_sub(size) {
            self.left = left;
            self.known.insert(labels.into(), found.clone());
        }
        found
    }

    /// How many variants are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
