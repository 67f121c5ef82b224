//! Optimal alignment of a sequence of events with a process tree.

mod tree;

pub use tree::{Alignment, Budget, Choice, Event, Exhausted, Label, Move, Step, Steps, Tree};
