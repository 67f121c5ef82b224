//! What is said of each message, and what differs: alignments told in the diagram's terms.

mod answers;
mod branches;
mod pairs;
mod tally;
mod walk;

pub(super) use branches::settle;
pub(super) use tally::{Certainty, Tally};
pub(super) use walk::Walker;
