//! The terms of an alignment: steps, events, the tree over the steps, and the moves.

/// What a step and an event have to share to be the same.
pub type Label = u32;

/// A step of a tree, as an index into [`Steps`].
pub type Step = usize;

/// The steps of a tree: the label of each, and what it costs to leave it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// The labels; several steps may share one.
    pub labels: Vec<Label>,
    /// The cost of a step that does not happen; 0 for one that nobody could see.
    pub missing: Vec<u32>,
}

/// What may happen, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Nothing.
    Silent,
    /// A step.
    Step(Step),
    /// One after the other.
    Seq(Vec<Self>),
    /// Exactly one of them.
    Alt {
        /// Names the choice in the alignment.
        choice: usize,
        /// The branches, at least one; [`Tree::Silent`] among them where none need happen.
        branches: Vec<Self>,
    },
    /// All of them, interleaved in any way.
    Par(Vec<Self>),
    /// The same again and again.
    Loop {
        /// What is repeated.
        body: Box<Self>,
        /// How often at least.
        least: u32,
        /// How often at most.
        most: Option<u32>,
    },
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event {
    /// What it is.
    pub label: Label,
    /// The cost of taking it for something that the tree does not have.
    pub extra: u32,
}

/// One move of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// An event is a step.
    Sync {
        /// The event, as an index.
        event: usize,
        /// The step.
        step: Step,
    },
    /// An event is no step.
    Extra {
        /// The event, as an index.
        event: usize,
    },
    /// A step did not happen.
    Missing {
        /// The step.
        step: Step,
    },
}

/// A branch that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The choice of the tree.
    pub choice: usize,
    /// The branch, as an index.
    pub branch: usize,
}

/// The cheapest way to take events for a run of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alignment {
    /// What all moves cost.
    pub cost: u64,
    /// The moves, in the order of the events.
    pub moves: Vec<Move>,
    /// The branches, in the order in which they were taken.
    pub choices: Vec<Choice>,
}

/// How much may be tried before it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// States of the search; each takes a few dozen bytes.
    pub states: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { states: 2_000_000 }
    }
}

/// The budget is used up: nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;
