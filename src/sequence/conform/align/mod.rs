//! Optimal alignment of a sequence of events with a process tree.

mod aligner;
mod alike;
mod compile;
mod graph;
mod leap;
mod markings;
mod moves;
mod pass;
mod search;
mod straight;
mod tree;

pub use aligner::Aligner;
pub use tree::{Alignment, Budget, Choice, Event, Exhausted, Label, Move, Step, Steps, Tree};
