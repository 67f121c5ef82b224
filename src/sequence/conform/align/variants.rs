//! Sequences that were aligned before: equal ones cost one lookup.

use std::{collections::HashMap, sync::Arc};

use super::{
    aligner::Aligner,
    tree::{Alignment, Budget, Exhausted, Label},
};

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
    #[must_use]
    pub fn new(aligner: &'a Aligner, budget: Budget, most: usize) -> Self {
        Self { aligner, budget, known: HashMap::new(), left: most }
    }

    /// As [`Aligner::align_plain`].
    ///
    /// # Errors
    ///
    /// As [`Aligner::align`].
    pub fn align(&mut self, labels: &[Label]) -> Known {
        if let Some(known) = self.known.get(labels) {
            return known.clone();
        }
        let found = self.aligner.align_plain(labels, self.budget).map(Arc::new);
        // A few more for the entry itself, so that many short sequences are bounded as well.
        let size = labels.len() + found.as_ref().map_or(0, |found| found.moves.len() + found.choices.len()) + 8;
        if let Some(left) = self.left.checked_sub(size) {
            self.left = left;
            self.known.insert(labels.into(), found.clone());
        }
        found
    }

    /// How many variants are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
