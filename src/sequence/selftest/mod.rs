//! Whether a check can fail: traces that passed are changed in one place each, and the check has to notice.

mod mutate;
mod place;
mod score;

pub use mutate::{Mutant, Mutation, mutants};
pub use score::{Score, Survivor, score};
