//! A tree that is compiled once, and aligned with as many sequences as there are.

use super::{
    compile::{Program, compile},
    search::{Input, Work},
    tree::{Alignment, Budget, Event, Exhausted, Step, Steps, Tree},
};

/// A compiled tree.
///
/// ```
/// use interlock::sequence::conform::align::{Aligner, Budget, Event, Move, Steps, Tree};
///
/// let steps = Steps { labels: vec![7, 8], missing: vec![1, 1] };
/// let aligner = Aligner::new(&Tree::Seq(vec![Tree::Step(0), Tree::Step(1)]), &steps);
/// let events = [7, 9].map(|label| Event { label, extra: 1 });
/// let found = aligner.align(&events, &|_, _| Some(0), Budget::default()).unwrap();
/// assert_eq!(found.cost, 2);
/// assert!(found.moves.contains(&Move::Missing { step: 1 }) && found.moves.contains(&Move::Extra { event: 1 }));
/// ```
#[derive(Debug)]
pub struct Aligner {
    program: Program,
}

impl Aligner {
    /// Compiles a tree.
    ///
    /// Trees may be as long as they like, and nested as deep as the stack allows for a few calls per level. A step that
    /// `steps` does not have is one that nobody could see. A loop whose `most` is below its `least` runs `least` times.
    #[must_use]
    pub fn new(tree: &Tree, steps: &Steps) -> Self {
        Self { program: compile(tree, steps) }
    }

    /// The cost of the cheapest run of the tree, all of it missing.
    #[must_use]
    pub fn shortest(&self) -> u64 {
        self.program.shortest
    }

    /// The cheapest alignment of events with the tree.
    ///
    /// An event is taken for a step of its label at the cost `fit(event, step)`, unless that is none; an event that is extra
    /// costs [`Event::extra`], a step that is missing costs what [`Steps::missing`] says. Of several alignments that cost
    /// the same, always the same one is found.
    ///
    /// # Errors
    ///
    /// The budget is used up, or the tree has loops with bounds that need more than a million edges, or an upper bound that
    /// is not drawn out (thousands of repetitions) and that there are more events than. Nothing is known then.
    pub fn align(
        &self,
        events: &[Event],
        fit: &impl Fn(usize, Step) -> Option<u32>,
        budget: Budget,
    ) -> Result<Alignment, Exhausted> {
        // Lists of events are made before any state is held.
        if self.program.too_large || events.len() > budget.states {
            return Err(Exhausted);
        }
        let input = Input::new(&self.program, events, fit);
        let mut work = Work::new(&self.program, budget);
        let walk = work.search(&input)?;
        work.alignment(&input, walk)
    }
}
