//! Random trees, and events that nearly fit them.

use interlock::sequence::conform::align::{Event, Label, Steps, Tree};
use rand::{RngExt, rngs::SmallRng};

/// Draws trees over a few labels.
pub struct Trees<'a> {
    pub rng: &'a mut SmallRng,
    pub steps: Steps,
    pub choices: usize,
    /// How many labels there are: the fewer, the more steps share one.
    pub labels: Label,
    /// The highest cost of a step.
    pub dearest: u32,
}

impl Trees<'_> {
    pub fn tree(&mut self, depth: usize) -> Tree {
        if depth == 0 || self.rng.random_bool(0.25) {
            if self.rng.random_bool(0.1) {
                return Tree::Silent;
            }
            self.steps.labels.push(self.rng.random_range(0..self.labels));
            let cost = if self.dearest == 1 { 1 } else { self.rng.random_range(0..=self.dearest) };
            self.steps.missing.push(cost);
            return Tree::Step(self.steps.labels.len() - 1);
        }
        let operands = self.rng.random_range(1..=3);
        match self.rng.random_range(0..10) {
            0..4 => Tree::Seq(self.trees(operands, depth)),
            4..6 => {
                self.choices += 1;
                Tree::Alt { choice: self.choices - 1, branches: self.trees(operands, depth) }
            }
            6..8 => Tree::Par(self.trees(operands, depth)),
            _ => {
                let least = self.rng.random_range(0..=2);
                let most = self.rng.random_bool(0.5).then(|| least + self.rng.random_range(0..=2));
                Tree::Loop { body: Box::new(self.tree(depth - 1)), least, most }
            }
        }
    }

    fn trees(&mut self, count: usize, depth: usize) -> Vec<Tree> {
        (0..count).map(|_| self.tree(depth - 1)).collect()
    }

    pub fn events(&mut self, most: usize) -> Vec<Event> {
        let count = self.rng.random_range(0..=most);
        let dearest = self.dearest;
        let mut event = || {
            let extra = if dearest == 1 { 1 } else { self.rng.random_range(0..=dearest) };
            // One label more than the tree can have.
            Event { label: self.rng.random_range(0..=self.labels), extra }
        };
        (0..count).map(|_| event()).collect()
    }
}
