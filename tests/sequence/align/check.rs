//! Whether an alignment is one: its moves take every event once, fit, and add up to its cost.

use interlock::sequence::conform::align::{Aligner, Alignment, Budget, Choice, Event, Label, Move, Step, Steps, Tree};

use super::variants::align_plain;

/// A tree with its steps, written as it is read.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub steps: Steps,
    pub choices: usize,
}

impl Model {
    /// A step with a letter for its label, and cost 1 where it is missing.
    pub fn step(&mut self, letter: char) -> Tree {
        self.dear(letter, 1)
    }

    /// A step with a cost of its own.
    pub fn dear(&mut self, letter: char, missing: u32) -> Tree {
        self.steps.labels.push(letter as Label);
        self.steps.missing.push(missing);
        Tree::Step(self.steps.labels.len() - 1)
    }

    /// Steps one after the other.
    pub fn seq(&mut self, letters: &str) -> Tree {
        Tree::Seq(letters.chars().map(|letter| self.step(letter)).collect())
    }

    pub fn alt(&mut self, branches: Vec<Tree>) -> Tree {
        self.choices += 1;
        Tree::Alt { choice: self.choices - 1, branches }
    }

    /// Aligns letters with a tree, checks the moves, and shows them: `a` fits, `+a` is extra, `-a` is missing.
    pub fn aligned(&self, tree: &Tree, letters: &str) -> (u64, String, Vec<Choice>) {
        let labels: Vec<Label> = letters.chars().map(|letter| letter as Label).collect();
        let found = align_plain(&Aligner::new(tree, &self.steps), &labels, Budget::default()).unwrap();
        let events: Vec<Event> = labels.iter().map(|label| Event { label: *label, extra: 1 }).collect();
        sound(&found, &events, &self.steps, &|_, _| Some(0));
        let letter = |label: Label| char::from_u32(label).unwrap().to_string();
        let shown: Vec<String> = found
            .moves
            .iter()
            .map(|one| match one {
                Move::Sync { event, .. } => letter(labels[*event]),
                Move::Extra { event } => format!("+{}", letter(labels[*event])),
                Move::Missing { step } => format!("-{}", letter(self.steps.labels[*step])),
            })
            .collect();
        (found.cost, shown.join(" "), found.choices)
    }

    pub fn cost(&self, tree: &Tree, letters: &str) -> u64 {
        self.aligned(tree, letters).0
    }
}

/// Fails where moves skip an event, take one twice or out of order, do not fit, or do not add up.
pub fn sound(found: &Alignment, events: &[Event], steps: &Steps, fit: &impl Fn(usize, Step) -> Option<u32>) {
    let mut next = 0;
    let mut cost = 0;
    for one in &found.moves {
        let (event, price) = match *one {
            Move::Sync { event, step } => {
                assert_eq!(events[event].label, steps.labels[step], "{found:?}");
                (Some(event), fit(event, step).unwrap())
            }
            Move::Extra { event } => (Some(event), events[event].extra),
            Move::Missing { step } => (None, steps.missing[step]),
        };
        cost += u64::from(price);
        if let Some(event) = event {
            assert_eq!(event, next, "{found:?}");
            next += 1;
        }
    }
    assert_eq!((next, cost), (events.len(), found.cost), "{found:?}");
}

/// The steps that the moves go through, in their order.
pub fn run(found: &Alignment) -> Vec<Step> {
    let step = |one: &Move| match one {
        Move::Sync { step, .. } | Move::Missing { step } => Some(*step),
        Move::Extra { .. } => None,
    };
    found.moves.iter().filter_map(step).collect()
}
