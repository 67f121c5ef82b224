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
        Self { program: compile(tree, steps, &[]) }
    }

    /// Compiles a tree of which it is known which steps stand for each other: those of one class fit the same events at the
    /// same cost, and cost the same if they are missing. Operands of a `par` that are alike are then taken in their order,
    /// which loses no alignment that costs less.
    #[must_use]
    pub fn with_classes(tree: &Tree, steps: &Steps, classes: &[u32]) -> Self {
        Self { program: compile(tree, steps, classes) }
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
        let order = (0..events.len()).collect();
        self.align_any(events, &[order], fit, budget).map(|(_, found)| found)
    }

    /// The cheapest alignment of events in any of several orders, which are lists of all their indices; and which of the
    /// orders it is in, the first of those that cost the same. Moves speak of events by their places in that order.
    ///
    /// # Errors
    ///
    /// As for [`Aligner::align`]; and there is no order.
    pub fn align_any(
        &self,
        events: &[Event],
        orders: &[Vec<usize>],
        fit: &impl Fn(usize, Step) -> Option<u32>,
        budget: Budget,
    ) -> Result<(usize, Alignment), Exhausted> {
        // Lists of events are made before any state is held.
        if self.program.too_large || events.len() > budget.states {
            return Err(Exhausted);
        }
        let ordered: Vec<Vec<Event>> =
            orders.iter().map(|order| order.iter().filter_map(|at| events.get(*at).copied()).collect()).collect();
        let fits: Vec<_> =
            orders.iter().map(|order| move |event: usize, step: Step| fit(order.get(event).copied()?, step)).collect();
        let inputs: Vec<_> =
            ordered.iter().zip(&fits).map(|(events, fit)| Input::new(&self.program, events, fit)).collect();
        Work::new(&self.program, budget).search(&inputs)
    }
}
